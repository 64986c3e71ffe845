"use strict";
(() => {
  const element = (name) => document.getElementById(name);
  const data = JSON.parse(element("data").textContent);
  const rejected = new Set(), added = [];
  let current = 0, meaning = data.meanings[0] ?? 0;
  const meanings = [...data.meanings];
  const own = (number) => data.models[number].marks.concat(added.filter((one) => one.model === number));
  const has = (number, wanted) => own(number).some((one) => one.index === wanted);
  const view = new MeshView(element("view"), (found) => {
    if (has(current, meaning)) return;
    added.push({ model: current, index: meaning, xyz: found.xyz, prior: "click" });
    const other = data.mirror[meaning];
    if (element("mirror").checked && other !== undefined && !has(current, other)) {
      const [x, y, z] = found.xyz;
      added.push({ model: current, index: other, xyz: nearest(data.models[current], [-x, y, z]), prior: "symmetry" });
    }
    refresh();
  });
  // The point of a mesh that is nearest to a place, over corners, and a grid of weights on each face.
  const nearest = (mesh, place) => {
    let best = null;
    const parts = 8;
    for (const face of mesh.faces) {
      for (let first = 0; first <= parts; first += 1) {
        for (let second = 0; second <= parts - first; second += 1) {
          const weights = [first / parts, second / parts, (parts - first - second) / parts];
          const xyz = [0, 1, 2].map((axis) => face.reduce((sum, corner, at) => sum + weights[at] * mesh.vertices[corner][axis], 0));
          const away = Math.hypot(xyz[0] - place[0], xyz[1] - place[1], xyz[2] - place[2]);
          if (!best || away < best.away) best = { away, xyz };
        }
      }
    }
    return best.xyz;
  };
  const result = () => ({
    format: 1,
    class_id: data.class_id,
    accepted: data.meanings.filter((one) => !rejected.has(one)),
    rejected: [...rejected],
    added: added.map((one) => ({ model_id: data.models[one.model].model_id, meaning: one.index, xyz: one.xyz, prior: one.prior })),
  });
  const refresh = () => {
    view.show(data.models[current], own(current).filter((one) => !rejected.has(one.index)));
    element("where").textContent = `model ${current + 1} of ${data.models.length}: ${data.models[current].model_id}`;
    element("meanings").replaceChildren(...meanings.map((one) => {
      const row = document.createElement("li"), pick = document.createElement("button"), reject = document.createElement("button");
      const count = data.models.filter((_, number) => has(number, one)).length;
      pick.textContent = `${one}: on ${count} of ${data.models.length}`;
      pick.className = `pick ${one === meaning ? "chosen" : ""}`;
      pick.addEventListener("click", () => { meaning = one; refresh(); });
      reject.textContent = rejected.has(one) ? "rejected" : "accepted";
      reject.className = rejected.has(one) ? "verdict" : "verdict marked";
      reject.addEventListener("click", () => { if (!rejected.delete(one)) rejected.add(one); refresh(); });
      row.append(pick, reject);
      return row;
    }));
    element("json").value = JSON.stringify(result());
  };
  const go = (step) => { current = Math.max(0, Math.min(data.models.length - 1, current + step)); refresh(); };
  element("previous").addEventListener("click", () => go(-1));
  element("next").addEventListener("click", () => go(1));
  element("another").addEventListener("click", () => { meaning = Math.max(-1, ...meanings) + 1; meanings.push(meaning); refresh(); });
  element("undo").addEventListener("click", () => { added.pop(); refresh(); });
  element("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([element("json").value], { type: "application/json" }));
    link.download = "verdict.json";
    link.click();
  });
  refresh();
})();
