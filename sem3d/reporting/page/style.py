"""How the page looks: one column, system fonts, light or dark as the reader's system is."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1f2328; --soft: #59636e; --paper: #ffffff; --raised: #f6f8fa; --line: #d5dae0;
  --accent: #0060a8; --gain: #00704f; --loss: #b23a00; --cell: #0072b2; --wrong: #d55e00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e6e6; --soft: #a3adb8; --paper: #15181c; --raised: #1d2127; --line: #363d46;
    --accent: #6cb6ff; --gain: #45c99a; --loss: #ff9a62; --cell: #4ea8e6; --wrong: #ff8a3d;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
header { border-bottom: 1px solid var(--line); padding-bottom: .5rem; }
h1 { font-size: 1.2rem; margin: 0; font-weight: 600; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0 .7rem; max-width: 48rem; }
.kicker { color: var(--soft); margin: 0; font-size: .85rem; }
.headline { font-size: 1.45rem; line-height: 1.3; font-weight: 600; margin: .7rem 0; max-width: none; text-wrap: pretty; }
.small, figcaption, .cautions { color: var(--soft); font-size: .86rem; }
.cautions { padding-left: 1.1rem; max-width: 50rem; }
figure { margin: 0; }
figcaption span { display: block; }
.curve img { display: block; width: 100%; max-width: 54rem; height: auto; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; font-size: .86rem; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 500; }
.scroll tbody th { position: sticky; left: 0; background: var(--paper); max-width: 11rem; overflow-wrap: break-word; }
.comparison tbody th { font-weight: 600; }
.comparison td { white-space: nowrap; padding-right: 1.6rem; }
.comparison .value { font-size: 1.05rem; font-weight: 600; }
.classes td, .classes th:not(:first-child), .cost td, .cost thead th {
  text-align: right; padding-left: 1rem; white-space: nowrap;
}
.gain { color: var(--gain); } .loss { color: var(--loss); } .same { color: var(--soft); }
.badge { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .45rem; color: var(--gain); }
summary { cursor: pointer; padding: .25rem 0; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
.pair figure { flex: 0 1 29rem; min-width: min(100%, 20rem); }
figcaption b { color: var(--ink); }
svg text { font: 10px system-ui, "Segoe UI", sans-serif; fill: var(--ink); }
svg .paper { fill: var(--raised); } svg .right { fill: var(--cell); } svg .wrong { fill: var(--wrong); }
.gallery {
  display: grid; gap: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 11.5rem), 1fr));
}
.card { max-width: 24rem; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; background: var(--raised); }
.card summary { list-style: none; padding: 0; }
.card summary::-webkit-details-marker { display: none; }
.card span { display: block; padding: .3rem .6rem; font-weight: 500; }
.card img { display: block; width: 100%; height: auto; max-height: 17rem; object-fit: cover; object-position: top; }
.card[open] { grid-column: 1 / -1; max-width: none; } .card[open] img { max-height: none; }
.trials { font-size: .88rem; width: 100%; }
.trials thead th { position: sticky; top: 0; background: var(--paper); }
.trials td { white-space: nowrap; } .trials .settings { white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }
.trials tbody th { color: var(--soft); font-weight: 400; }
#trials > .scroll { max-height: 40rem; overflow: auto; border: 1px solid var(--line); border-radius: 6px; padding: 0 .6rem; }
.failed { color: var(--loss); } td.stopped { color: var(--soft); }
ul.failed { padding-left: 1.1rem; overflow-wrap: anywhere; } ul.failed b { color: var(--ink); }
.champion td, .shared td { overflow-wrap: anywhere; }
.champion thead { display: none; }
a { color: var(--accent); }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
button::after { content: " ↕"; opacity: .45; }
[aria-sort=ascending] button::after { content: " ↑"; opacity: 1; }
[aria-sort=descending] button::after { content: " ↓"; opacity: 1; }
input {
  font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--line); border-radius: 6px;
  padding: .3rem .6rem; margin: 0 0 .6rem; width: min(100%, 22rem);
}
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 600px) {
  main { padding: 1rem .8rem 3rem; }
  .headline { font-size: 1.2rem; }
  .comparison .badge { display: table; }
}
"""
