// Charts are drawn from the table in their figure: without this script the table is what is there.
(function () {
  "use strict";
  var MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  var drawn = new Map();

  function colour(item) {
    return getComputedStyle(item, "::before").backgroundColor;
  }

  function token(name) {
    var probe = document.createElement("span");
    probe.style.color = "var(--" + name + ")";
    document.body.append(probe);
    var found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function read(figure) {
    var table = figure.querySelector("table");
    var names = Array.from(table.tHead.rows[0].cells).slice(1).map(function (cell) { return cell.textContent; });
    var times = [], columns = names.map(function () { return []; }), texts = names.map(function () { return []; });
    Array.from(table.tBodies[0].rows).forEach(function (row) {
      times.push(Date.parse(row.cells[0].firstElementChild.dateTime) / 1000);
      names.forEach(function (_, place) {
        var data = row.cells[place + 1].firstElementChild;
        columns[place].push(data && data.value !== "" ? Number(data.value) : null);
        texts[place].push(row.cells[place + 1].textContent.trim());
      });
    });
    return { names: names, times: times, columns: columns, texts: texts };
  }

  function summed(columns) {
    var below = columns[0].map(function () { return 0; });
    return columns.map(function (column) {
      below = below.map(function (sum, place) { return sum + (column[place] || 0); });
      return below;
    });
  }

  function short(value, unit) {
    if (value === 0) return "0";
    var text;
    if (unit === "ms") return value >= 1000 ? +(value / 1000).toPrecision(3) + " s" : +value.toPrecision(3) + " ms";
    if (value >= 1e6) text = +(value / 1e6).toPrecision(3) + "M";
    else if (value >= 1e4) text = +(value / 1e3).toPrecision(3) + "k";
    else text = String(+value.toPrecision(3));
    return unit === "USD" ? "$" + text : unit === "%" ? +(value * 100).toPrecision(3) + " %" : text;
  }

  // 14:00 within a day, 21 Nov at its start, 2027 at that of a year.
  function moments(u, ticks) {
    return ticks.map(function (tick) {
      var at = new Date(tick * 1e3), day = at.getUTCDate() + " " + MONTHS[at.getUTCMonth()];
      if (at.getUTCHours() || at.getUTCMinutes()) return at.toISOString().slice(11, 16);
      return at.getUTCMonth() === 0 && at.getUTCDate() === 1 ? day + " " + at.getUTCFullYear() : day;
    });
  }

  function options(figure, found, items, stack) {
    var width = figure.clientWidth, plot = figure.querySelector(".plot"), unit = figure.dataset.unit;
    var soft = token("soft"), line = token("line");
    var step = found.times.length > 1 ? found.times[1] - found.times[0] : 3600;
    var axis = { stroke: soft, font: "12px Inter, system-ui, sans-serif", grid: { stroke: line, width: 1 }, ticks: { show: false } };
    var series = items.map(function (item, place) {
      var hue = colour(item);
      return stack
        ? { label: found.names[place], fill: hue, stroke: hue, width: 0, paths: uPlot.paths.bars({ size: [0.84, 64], gap: 1 }), points: { show: false } }
        : { label: found.names[place], stroke: hue, width: 1.75, spanGaps: true, points: { show: found.times.length < 3, size: 5 } };
    });
    if (stack) series.reverse();
    return {
      width: width, height: plot.clientHeight, legend: { show: false }, tzDate: function (ts) { return uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"); },
      padding: [8, stack ? 4 : 20, 0, 0],
      cursor: { y: false, points: { show: !stack, size: 6 }, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: function (u, min, max) { return stack ? [min - step * 0.6, max + step * 0.6] : [min, max === min ? max + step : max]; } },
        y: { range: function (u, min, max) { return [0, max > 0 ? max * 1.06 : 1]; } }
      },
      axes: [
        Object.assign({}, axis, { grid: { show: false }, size: 26, gap: 6, space: 74, values: moments }),
        Object.assign({}, axis, { size: 52, gap: 6, space: 42, values: function (u, ticks) { return ticks.map(function (tick) { return short(tick, unit); }); } })
      ],
      series: [{}].concat(series),
      hooks: { setCursor: [function (u) { point(figure, found, items, u.cursor.idx); }] }
    };
  }

  function point(figure, found, items, place) {
    var when = figure.querySelector(".when");
    items.forEach(function (item, number) {
      var value = item.querySelector(".value");
      if (!value.dataset.total) value.dataset.total = value.textContent;
      value.textContent = place === null || place === undefined ? value.dataset.total : found.texts[number][place];
    });
    if (when) when.textContent = place === null || place === undefined ? "" : new Date(found.times[place] * 1e3).toISOString().slice(0, 16).replace("T", " ");
  }

  function draw(figure) {
    var before = drawn.get(figure);
    if (before) before.destroy();
    drawn.delete(figure);
    var found = read(figure), plot = figure.querySelector(".plot"), numbers = figure.querySelector(".numbers");
    var items = Array.from(figure.querySelectorAll(".legend li:not(.when)"));
    if (!found.times.length || !items.length) { figure.classList.add("undrawn"); return; }
    var stack = figure.dataset.chart === "stack";
    var columns = stack ? summed(found.columns).reverse() : found.columns;
    plot.textContent = "";
    figure.classList.add("drawn");
    if (numbers && !figure.dataset.opened) numbers.open = false;
    drawn.set(figure, new uPlot(options(figure, found, items, stack), [found.times].concat(columns), plot));
  }

  function drawAll() {
    drawn.forEach(function (chart, figure) { if (!figure.isConnected) { chart.destroy(); drawn.delete(figure); } });
    document.querySelectorAll(".chart").forEach(draw);
  }

  var resizing;
  window.addEventListener("resize", function () { clearTimeout(resizing); resizing = setTimeout(drawAll, 120); });
  document.addEventListener("toggle", function (event) {
    var figure = event.target.closest && event.target.closest(".chart.drawn");
    if (figure && event.target.open) figure.dataset.opened = "yes";
  }, true);
  window.genopsCharts = drawAll;
})();
