"use strict";
(() => {
  const cloud = document.getElementById("cloud"), canvas = document.getElementById("view");
  const bytes = (name) => Uint8Array.from(atob(cloud.dataset[name]), (one) => one.charCodeAt(0));
  const places = new Float32Array(bytes("places").buffer), count = places.length / 3;
  const gl = canvas.getContext("webgl");
  if (!gl) {
    document.getElementById("trouble").textContent = "This browser has no WebGL, which the picture needs.";
    return;
  }
  // The file's z points up. Turned about it by `yaw`, then tipped towards the eye by `pitch`, both in radians.
  const vertex = `
    attribute vec3 place; attribute vec3 colour; varying vec3 shown;
    uniform float yaw, pitch, distance, aspect, dot; uniform vec2 moved;
    void main() {
      float x = cos(yaw) * place.x - sin(yaw) * place.y, y = sin(yaw) * place.x + cos(yaw) * place.y;
      float up = cos(pitch) * place.z + sin(pitch) * y, away = cos(pitch) * y - sin(pitch) * place.z + distance;
      gl_Position = vec4(2.0 * (x + moved.x) / aspect, 2.0 * (up + moved.y), 1.001 * away - 0.02001, away);
      gl_PointSize = clamp(dot / max(away, 0.01), 1.0, 24.0);
      shown = colour;
    }`;
  const fragment = "precision mediump float; varying vec3 shown; void main() { gl_FragColor = vec4(shown, 1.0); }";
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const buffer = (content) => {
    const made = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, made);
    gl.bufferData(gl.ARRAY_BUFFER, content, gl.STATIC_DRAW);
    return made;
  };
  const colours = { painted: buffer(bytes("painted")), own: buffer(bytes("own")) };
  const attribute = (name, from, kind, normalised) => {
    const at = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, from);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, 3, kind, normalised, 0, 0);
  };
  const edges = new Float32Array(bytes("edges").buffer);
  const shapes = { points: buffer(places), edges: buffer(edges), edged: buffer(bytes("edged")) };
  gl.enable(gl.DEPTH_TEST);
  gl.clearColor(0.086, 0.094, 0.11, 1);
  const eye = { yaw: 0.6, pitch: 0.6, distance: 1.6, moved: [0, 0] };
  const uniform = (name) => gl.getUniformLocation(program, name);
  const draw = () => {
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    attribute("place", shapes.points, gl.FLOAT, false);
    attribute("colour", document.getElementById("own").checked ? colours.own : colours.painted, gl.UNSIGNED_BYTE, true);
    for (const name of ["yaw", "pitch", "distance"]) gl.uniform1f(uniform(name), eye[name]);
    gl.uniform1f(uniform("aspect"), canvas.width / canvas.height);
    gl.uniform1f(uniform("dot"), 2.5 * canvas.height / Math.sqrt(count));
    gl.uniform2fv(uniform("moved"), eye.moved);
    gl.drawArrays(gl.POINTS, 0, count);
    attribute("place", shapes.edges, gl.FLOAT, false);
    attribute("colour", shapes.edged, gl.UNSIGNED_BYTE, true);
    gl.drawArrays(gl.LINES, 0, edges.length / 3);
  };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const [across, down] = [event.movementX / canvas.clientHeight, event.movementY / canvas.clientHeight];
    if (event.shiftKey) {
      eye.moved = [eye.moved[0] + across * eye.distance, eye.moved[1] - down * eye.distance];
    } else {
      eye.yaw += 4 * across;
      eye.pitch = Math.max(-1.57, Math.min(1.57, eye.pitch + 4 * down));
    }
    draw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    eye.distance = Math.max(0.05, Math.min(10, eye.distance * Math.exp(event.deltaY / 800)));
    draw();
  }, { passive: false });
  document.getElementById("own").addEventListener("change", draw);
  addEventListener("resize", draw);
  draw();
})();
