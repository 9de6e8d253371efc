"use strict";
// The charts of a report: reads the numbers from the page, draws them with uPlot, and puts text in as text alone.
(() => {
  const panels = JSON.parse(document.getElementById("charts").textContent);
  const controls = document.querySelector(".controls");
  if (!controls) return;
  const DASHES = [[], [8, 4], [2, 4], [9, 3, 2, 3]];
  const HEIGHT = 240, PRINT_WIDTH = 330, STEP = 1.5;
  const dark = matchMedia("(prefers-color-scheme: dark)"), print = matchMedia("print");
  let charts = [];

  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (curve) => ink(`--c${curve.place % 7}`);
  const on = (name) => controls.elements[name].checked;
  const chosen = (name) => new Set([...controls.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
  const number = (value) => {
    if (value === null || value === undefined) return "none";
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(3) : value.toPrecision(4);
  };

  // Each curve is three series, so that uPlot can fill the band between its lowest and highest runs.
  function table(panel, positive) {
    const epochs = [...new Set(panel.curves.flatMap((curve) => [...curve.epochs, ...curve.best.map(([epoch]) => epoch)]))];
    epochs.sort((one, other) => one - other); // a best epoch may lie beyond where its curve ends
    const fit = (curve, values) => {
      const known = new Map(curve.epochs.map((epoch, i) => [epoch, values[i]]));
      return epochs.map((epoch) => (positive && !(known.get(epoch) > 0) ? null : known.get(epoch) ?? null));
    };
    return [epochs, ...panel.curves.flatMap((curve) => [curve.middle, curve.low, curve.high].map((values) => fit(curve, values)))];
  }

  function series(curve) {
    const quiet = curve.part === "train";
    const line = { stroke: () => colour(curve), width: quiet ? 1 : 2, dash: DASHES[curve.place % 4], spanGaps: true };
    const edge = { stroke: "transparent", width: 0, points: { show: false } };
    return [{ ...line, points: { show: curve.epochs.length === 1 } }, edge, edge];
  }

  function bands(panel) {
    return panel.curves.map((curve, i) => ({ series: [3 * i + 3, 3 * i + 2], fill: () => `${colour(curve)}26` }));
  }

  // Marks differ in shape besides colour.
  function mark(ctx, shape, x, y, r) {
    ctx.beginPath();
    if (shape === 0) ctx.arc(x, y, r, 0, 2 * Math.PI);
    else if (shape === 1) ctx.rect(x - r, y - r, 2 * r, 2 * r);
    else {
      const corners = shape === 2 ? [[0, -1.3], [1.2, 0.9], [-1.2, 0.9]] : [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]];
      corners.forEach(([dx, dy]) => ctx.lineTo(x + dx * r, y + dy * r));
      ctx.closePath();
    }
    ctx.fill();
    ctx.stroke();
  }

  function drawBest(chart, panel) {
    if (!on("best")) return;
    const { ctx, scales: { x, y } } = chart, scale = uPlot.pxRatio;
    const inside = ([epoch, value]) => epoch >= x.min && epoch <= x.max && value >= y.min && value <= y.max;
    ctx.save();
    panel.curves.filter(isShown).filter((curve) => curve.part !== "train").forEach((curve) => {
      ctx.fillStyle = colour(curve);
      ctx.strokeStyle = ink("--paper");
      ctx.lineWidth = scale;
      curve.best.filter(inside).forEach(([epoch, value]) =>
        mark(ctx, curve.place % 4, chart.valToPos(epoch, "x", true), chart.valToPos(value, "y", true), 3.5 * scale));
    });
    ctx.restore();
  }

  function isShown(curve) {
    return chosen("config").has(String(curve.place)) && (!curve.part || chosen("part").has(curve.part));
  }

  function read(chart, panel, place) {
    const i = chart.cursor.idx;
    if (i === null || i === undefined) { place.textContent = ""; return; }
    const told = panel.curves.map((curve, k) => [curve, k]).filter(([curve]) => isShown(curve)).map(([curve, k]) => {
      const [middle, low, high] = [1, 2, 3].map((row) => chart.data[3 * k + row][i]);
      const band = low === high ? "" : ` (${number(low)} to ${number(high)})`;
      return `${curve.config}${curve.part ? ` ${curve.part}` : ""} ${number(middle)}${band}`;
    });
    place.textContent = [`epoch ${chart.data[0][i]}`, ...told].join(" · ");
  }

  function axes() {
    const axis = {
      stroke: () => ink("--quiet"), font: "12px system-ui, sans-serif",
      grid: { stroke: () => ink("--grid"), width: 1 }, ticks: { stroke: () => ink("--rule"), width: 1, size: 5 },
    };
    const far = (value) => value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5);
    const short = (value) => (value === null ? "" : far(value) ? (+value.toPrecision(3)).toExponential() : String(+value.toPrecision(6)));
    const whole = (values) => values.map((value) => (Number.isInteger(value) ? String(value) : ""));
    return [{ ...axis, size: 34, label: "epoch", labelSize: 18, labelGap: 0, labelFont: axis.font, values: (_, splits) => whole(splits) }, { ...axis, size: 62, values: (_, splits) => splits.map(short) }];
  }

  function make(place) {
    const panel = panels[Number(place.dataset.panel)];
    const positive = panel.curves.every((curve) => curve.low.every((value) => value === null || value > 0));
    const log = on("log") && positive;
    const readout = place.parentElement.querySelector(".readout");
    const values = table(panel, log);
    const chart = new uPlot({
      width: width(place), height: HEIGHT, legend: { show: false }, axes: axes(), bands: bands(panel),
      padding: [10, 12, 0, 0],
      scales: { x: { time: false, range: (_, low, high) => [low, Math.max(high, low + 1)] }, y: { distr: log ? 3 : 1 } },
      series: [{}, ...panel.curves.flatMap(series)],
      cursor: { y: false, sync: { key: "epochs", scales: ["x", null] }, points: { show: false } },
      hooks: {
        draw: [(chart) => drawBest(chart, panel)],
        setCursor: [(chart) => read(chart, panel, readout)],
        setScale: [(chart, scale) => { if (scale === "x") follow(chart); }],
      },
    }, values, place);
    return { chart, panel, place, last: values[0].at(-1) };
  }

  function width(place) { return print.matches ? PRINT_WIDTH : Math.max(place.clientWidth, 200); }

  function show({ chart, panel }) {
    chart.batch(() => panel.curves.forEach((curve, i) => {
      const visible = isShown(curve);
      chart.setSeries(3 * i + 1, { show: visible });
      chart.setSeries(3 * i + 2, { show: visible && on("band") });
      chart.setSeries(3 * i + 3, { show: visible && on("band") });
    }));
  }

  // All charts share their epochs: what zooms one zooms all.
  let following = false;
  function follow(leader) {
    if (following) return;
    following = true;
    const { min, max } = leader.scales.x;
    charts.forEach(({ chart }) => { if (chart !== leader) chart.setScale("x", { min, max }); });
    following = false;
  }

  function zoom(by) {
    const all = Math.max(...charts.map(({ last }) => last));
    const { min, max } = charts[0].chart.scales.x;
    const reach = (max - min) / 2 / by, middle = (min + max) / 2;
    const [low, high] = by ? [Math.max(1, middle - reach), Math.min(all, middle + reach)] : [1, all];
    charts.forEach(({ chart }) => chart.setScale("x", { min: low, max: Math.max(high, low + 1) }));
  }

  function move(chart, by) {
    const [low, high] = chart.series[0].idxs;
    const from = chart.cursor.idx ?? (by > 0 ? low - 1 : high + 1);
    const to = Math.min(Math.max(from + by, low), high);
    chart.setCursor({ left: chart.valToPos(chart.data[0][to], "x"), top: 10 }, true, true);
  }

  function press(event) {
    const one = charts.find(({ place }) => place === event.currentTarget);
    const actions = {
      ArrowLeft: () => move(one.chart, event.shiftKey ? -10 : -1), ArrowRight: () => move(one.chart, event.shiftKey ? 10 : 1),
      "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), 0: () => zoom(0),
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  function build() {
    charts.forEach(({ chart }) => chart.destroy());
    charts = [];
    charts = [...document.querySelectorAll(".plot")].map(make);
    charts.forEach(show);
  }
  const resize = () => charts.forEach(({ chart, place }) => chart.setSize({ width: width(place), height: HEIGHT }));
  const redraw = () => charts.forEach(({ chart }) => chart.redraw(false));

  build();
  document.querySelectorAll(".plot").forEach((place) => place.addEventListener("keydown", press));
  controls.addEventListener("change", (event) => { if (event.target.name === "log") build(); else charts.forEach(show); redraw(); });
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.elements.in.addEventListener("click", () => zoom(STEP));
  controls.elements.out.addEventListener("click", () => zoom(1 / STEP));
  controls.elements.whole.addEventListener("click", () => zoom(0));
  addEventListener("resize", resize);
  dark.addEventListener("change", redraw);
  print.addEventListener("change", () => { resize(); redraw(); });
})();
