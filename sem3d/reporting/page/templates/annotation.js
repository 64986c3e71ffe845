"use strict";
(() => {
  const element = (name) => document.getElementById(name);
  const data = JSON.parse(element("data").textContent), most = data.most;
  const marks = data.models.map(() => new Map());
  let current = 0, index = 0;
  const listed = (number) => [...marks[number].values()];
  const view = new MeshView(element("view"), (found) => {
    marks[current].set(index, { index, ...found });
    index = [...Array(most).keys()].find((one) => !marks[current].has(one)) ?? index;
    refresh();
  });
  const earlier = [...document.querySelectorAll("#earlier canvas")].map((canvas) => new MeshView(canvas, null));
  const result = () => ({
    format: 1,
    class_id: data.class_id,
    person: element("person").value,
    models: data.models.map((model, number) => ({ model_id: model.model_id, marks: listed(number) })),
  });
  const refresh = () => {
    view.show(data.models[current], listed(current));
    earlier.forEach((own, place) => {
      const number = current - 1 - place;
      own.canvas.hidden = number < 0;
      if (number >= 0) own.show(data.models[number], listed(number));
    });
    element("where").textContent = `model ${current + 1} of ${data.models.length}: ${data.models[current].model_id}`;
    element("indices").querySelectorAll("button").forEach((button, number) => {
      button.className = `${number === index ? "chosen" : ""} ${marks[current].has(number) ? "marked" : ""}`;
    });
    element("json").value = JSON.stringify(result());
  };
  for (let number = 0; number < most; number += 1) {
    const button = document.createElement("button");
    button.textContent = String(number);
    button.addEventListener("click", () => { index = number; refresh(); });
    element("indices").append(button);
  }
  const go = (step) => {
    current = Math.max(0, Math.min(data.models.length - 1, current + step));
    index = [...Array(most).keys()].find((one) => !marks[current].has(one)) ?? 0;
    refresh();
  };
  element("previous").addEventListener("click", () => go(-1));
  element("next").addEventListener("click", () => go(1));
  element("remove").addEventListener("click", () => { marks[current].delete(index); refresh(); });
  element("person").addEventListener("input", refresh);
  element("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([element("json").value], { type: "application/json" }));
    link.download = `${element("person").value || "marks"}.json`;
    link.click();
  });
  refresh();
})();
