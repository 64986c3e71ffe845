"use strict";
// A mesh on a canvas, y up and front at -z, that is turned by dragging and marked by clicking; nearer faces are drawn over others.
class MeshView {
  constructor(canvas, onClick) {
    this.canvas = canvas;
    this.yaw = 0.6;
    this.pitch = 0.35;
    this.marks = [];
    this.mesh = null;
    let down = null;
    canvas.addEventListener("pointerdown", (event) => { down = { x: event.clientX, y: event.clientY, moved: false }; });
    canvas.addEventListener("pointermove", (event) => {
      if (!down || !event.buttons) return;
      if (Math.hypot(event.clientX - down.x, event.clientY - down.y) > 3) down.moved = true;
      if (!down.moved) return;
      this.yaw += event.movementX / 120;
      this.pitch = Math.max(-1.5, Math.min(1.5, this.pitch + event.movementY / 120));
      this.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const clicked = down && !down.moved;
      down = null;
      if (!clicked || !onClick || !this.mesh) return;
      const box = canvas.getBoundingClientRect();
      const found = this.pick((event.clientX - box.left) * canvas.width / box.width,
        (event.clientY - box.top) * canvas.height / box.height);
      if (found) onClick(found);
    });
  }
  show(mesh, marks) {
    this.mesh = mesh;
    this.marks = marks;
    this.draw();
  }
  seen(place) {
    const [x, y, z] = place, cosine = Math.cos(this.yaw), sine = Math.sin(this.yaw);
    const across = cosine * x + sine * z, away = cosine * z - sine * x;
    const up = Math.cos(this.pitch) * y - Math.sin(this.pitch) * away, deep = Math.sin(this.pitch) * y + Math.cos(this.pitch) * away;
    const scale = 0.8 * Math.min(this.canvas.width, this.canvas.height);
    return [this.canvas.width / 2 - scale * across, this.canvas.height / 2 - scale * up, deep];
  }
  draw() {
    const { canvas, mesh } = this, paint = canvas.getContext("2d");
    paint.fillStyle = "#ffffff";
    paint.fillRect(0, 0, canvas.width, canvas.height);
    if (!mesh) return;
    const corners = mesh.vertices.map((vertex) => this.seen(vertex));
    const order = mesh.faces.map((face, number) => [corners[face[0]][2] + corners[face[1]][2] + corners[face[2]][2], number]);
    order.sort((one, other) => other[0] - one[0]);
    for (const [, number] of order) {
      const [a, b, c] = mesh.faces[number].map((corner) => corners[corner]);
      const turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
      const depth = Math.abs((b[2] - a[2]) * (c[1] - a[1])) + Math.abs((c[2] - a[2]) * (b[0] - a[0]));
      const light = Math.round(120 + 110 * Math.abs(turn) / (Math.abs(turn) + 300 * depth + 1e-6));
      paint.fillStyle = paint.strokeStyle = `rgb(${light},${light},${Math.min(255, light + 12)})`;
      paint.beginPath();
      paint.moveTo(a[0], a[1]);
      paint.lineTo(b[0], b[1]);
      paint.lineTo(c[0], c[1]);
      paint.closePath();
      paint.fill();
      paint.stroke();
    }
    paint.font = "bold 13px sans-serif";
    for (const mark of this.marks) {
      const [u, v] = this.seen(mark.xyz);
      paint.fillStyle = `hsl(${(mark.index * 67) % 360},80%,42%)`;
      paint.beginPath();
      paint.arc(u, v, 6, 0, 2 * Math.PI);
      paint.fill();
      paint.fillText(String(mark.index), u + 8, v + 5);
    }
  }
  // The nearest face under a pixel of the canvas: its number, the weights of its corners, and the place on it.
  pick(u, v) {
    let best = null;
    const corners = this.mesh.vertices.map((vertex) => this.seen(vertex));
    this.mesh.faces.forEach((face, number) => {
      const [a, b, c] = face.map((corner) => corners[corner]);
      const area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
      if (Math.abs(area) < 1e-9) return;
      const second = ((u - a[0]) * (c[1] - a[1]) - (v - a[1]) * (c[0] - a[0])) / area;
      const third = ((b[0] - a[0]) * (v - a[1]) - (b[1] - a[1]) * (u - a[0])) / area;
      const weights = [1 - second - third, second, third];
      if (Math.min(...weights) < 0) return;
      const deep = weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2];
      if (!best || deep < best.deep) best = { deep, face: number, weights };
    });
    if (!best) return null;
    const face = this.mesh.faces[best.face];
    const xyz = [0, 1, 2].map((axis) => face.reduce((sum, corner, place) => sum + best.weights[place] * this.mesh.vertices[corner][axis], 0));
    return { face: best.face, weights: best.weights, xyz };
  }
}
