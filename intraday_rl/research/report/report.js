"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 640px)");

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // Every "var(--name)" becomes the colour it has in the present scheme.
  function resolve(value) {
    if (typeof value === "string") {
      if (value === "sequential") return [[0, color("--scale-low")], [1, color("--scale-high")]];
      const found = /^var\((--[\w-]+)\)$/.exec(value);
      return found ? color(found[1]) : value;
    }
    if (Array.isArray(value)) {
      return typeof value[0] === "number" ? value : value.map(resolve);
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner)]));
    }
    return value;
  }

  function axis(given) {
    return {
      gridcolor: color("--grid"), zerolinecolor: color("--edge"), linecolor: color("--grid"),
      automargin: true, fixedrange: narrow.matches, ...given,
    };
  }

  function draw(source) {
    const figure = resolve(JSON.parse(source.textContent));
    const layout = {
      autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: color("--ink"), family: "system-ui, sans-serif", size: narrow.matches ? 11 : 13 },
      margin: { l: 8, r: 8, t: 8, b: 8 },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
      hoverlabel: { bgcolor: color("--card"), bordercolor: color("--edge"), font: { color: color("--ink") } },
      dragmode: narrow.matches ? false : "zoom",
      ...figure.layout,
      xaxis: axis(figure.layout.xaxis), yaxis: axis(figure.layout.yaxis),
    };
    Plotly.react(source.dataset.plot, figure.data, layout, {
      responsive: true, displayModeBar: false, displaylogo: false,
    });
  }

  function drawAll() {
    document.querySelectorAll("script.plot-data").forEach(draw);
  }

  drawAll();
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
})();
