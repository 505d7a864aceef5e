// Equity curves; the same numbers stand in a table beside it for whoever cannot see them.

import { html, useEffect, useRef } from "./vendor/htm-preact.js";
import uPlot from "./vendor/uplot.js";
import { NOTHING, number } from "./words.js";

const HEIGHT = 320;
const DASHES = [[], [8, 4], [2, 3], [8, 3, 2, 3]]; // not by colour alone

// `curves`: [{label, dates, values}], one dollar at the start of each.
export function Chart({ label, curves }) {
  const box = useRef(null);
  useEffect(() => {
    if (!curves.length) return undefined;
    const days = [...new Set(curves.flatMap((curve) => curve.dates))].sort();
    const data = [days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1_000), ...curves.map((curve) => onDays(curve, days))];
    let plot = null;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(optionsOf(curves, box.current), data, box.current);
    };
    draw();
    const resized = new ResizeObserver(() => plot.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    resized.observe(box.current);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener("change", draw);
      plot.destroy();
    };
  }, [curves]);
  return html`<figure class="chart">
    <figcaption>${label}</figcaption>
    <div ref=${box} role="img" aria-label=${`${label}: ${curves.map((curve) => `${curve.label} ends at ${number(curve.values.at(-1), 4)}`).join(", ")}`}></div>
  </figure>`;
}

const day = (seconds) => new Date(seconds * 1_000).toISOString().slice(0, 10);

function onDays({ dates, values }, days) {
  const known = new Map(dates.map((day, index) => [day, values[index]]));
  return days.map((day) => known.get(day) ?? null);
}

function optionsOf(curves, box) {
  const style = getComputedStyle(box);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--pico-color"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid") } };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    hooks: { ready: [(plot) => plot.setLegend({ idx: plot.data[0].length - 1 })] },
    padding: [8, 44, 0, 0], // half a date stands out at the right
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "Etc/UTC"),
    scales: { x: { time: true } },
    axes: [{ ...axis, space: 96, values: (_, ticks) => ticks.map(day) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => number(tick, 2)) }],
    series: [
      { label: "session", value: (_, seconds) => (seconds === null ? NOTHING : day(seconds)) },
      ...curves.map((curve, index) => ({
        label: curve.label,
        stroke: colour(`--curve-${(index % DASHES.length) + 1}`),
        dash: DASHES[index % DASHES.length],
        width: 2,
        points: { show: curve.values.length < 3 },
        value: (_, value) => (value === null ? NOTHING : number(value, 4)),
      })),
    ],
  };
}
