// Keys, theme, live updates. Every page works without this file.
(function () {
  "use strict";
  var root = document.documentElement;
  var PAGES = { o: "/", e: "/explore", b: "/budgets", p: "/policy", c: "/customers", v: "/evals", m: "/compliance", s: "/setup" };
  var PATIENCE_MS = 2000; // at least, between two updates of a page
  var SHARE = 10; // and ten times what the last one took: a large ledger is not asked without a pause

  function keep(name, value) {
    try { localStorage.setItem(name, value); } catch (error) { /* storage is switched off */ }
  }
  function kept(name) {
    try { return localStorage.getItem(name); } catch (error) { return null; }
  }

  // -- theme
  function dark() {
    if (root.dataset.theme) return root.dataset.theme === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function toggleTheme() {
    root.dataset.theme = dark() ? "light" : "dark";
    keep("genops-theme", root.dataset.theme);
    window.genopsCharts();
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { window.genopsCharts(); });

  // -- live: the server says that there is something, the page asks for itself again
  var stream = null, waiting = null, next = 0;
  function refresh() {
    waiting = null;
    if (document.hidden || document.querySelector("dialog[open]")) { waiting = setTimeout(refresh, PATIENCE_MS); return; }
    var start = Date.now();
    next = start + PATIENCE_MS;
    htmx.ajax("GET", location.pathname + location.search, { target: "#page", select: "#page", swap: "outerMorph" }).then(function () {
      next = Math.max(next, start + SHARE * (Date.now() - start));
    });
  }
  function changed() {
    if (waiting === null) waiting = setTimeout(refresh, Math.max(0, next - Date.now()));
  }
  function listen(on) {
    if (stream) { stream.close(); stream = null; }
    if (on && window.EventSource) {
      stream = new EventSource("/api/events");
      stream.onopen = function () { show("live"); };
      stream.onerror = function () { show("not connected"); };
      stream.addEventListener("change", changed);
    } else {
      show("paused");
    }
  }
  function show(said) {
    var state = document.getElementById("live");
    if (!state) return;
    state.classList.toggle("live", said === "live");
    state.lastElementChild.textContent = said;
    state.setAttribute("aria-pressed", String(said !== "paused"));
  }
  function toggleLive() {
    var on = kept("genops-live") === "off";
    keep("genops-live", on ? "on" : "off");
    listen(on);
  }

  // -- keys
  var leader = false;
  function go(path) {
    var link = document.querySelector('.side nav a[data-path="' + path + '"]');
    (link || { click: function () { location.assign(path); } }).click();
  }
  function move(step) {
    var rows = Array.from(document.querySelectorAll("#page a.row"));
    if (!rows.length) return;
    var place = rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, place < 0 ? (step > 0 ? 0 : rows.length - 1) : place + step))].focus();
  }
  function press(selector) {
    var found = document.querySelector(selector);
    if (found) { if (found.matches("input, select")) found.focus(); else found.click(); }
    return Boolean(found);
  }
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) {
      if (event.key === "Escape" && event.target.blur) event.target.blur();
      return;
    }
    var key = event.key;
    if (leader) {
      leader = false;
      if (PAGES[key]) { event.preventDefault(); go(PAGES[key]); return; }
    }
    var done = true;
    if (key === "g") leader = true;
    else if (key === "?") help();
    else if (key === "t") toggleTheme();
    else if (key === "l") toggleLive();
    else if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
    else if (key === "/") done = press("#filter-value") || (go("/explore"), true);
    else if (key === "u") done = press(".chips li:last-child a");
    else if (key === "n") done = press("a[rel=next]");
    else if (/^[1-6]$/.test(key)) done = press(".periods li:nth-child(" + key + ") a");
    else done = false;
    if (done) event.preventDefault();
  });
  function help() {
    var dialog = document.getElementById("help");
    if (dialog.open) dialog.close(); else dialog.showModal();
  }

  document.addEventListener("click", function (event) {
    var action = event.target.closest("[data-action]");
    if (!action) return;
    ({ theme: toggleTheme, live: toggleLive, help: help })[action.dataset.action]();
  });

  // The navigation of a phone is wider than the phone.
  function showPlace() {
    var list = document.querySelector(".side nav"), link = list && list.querySelector("[aria-current]");
    if (link) list.scrollLeft = Math.max(0, link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2);
  }
  function ready() {
    showPlace();
    window.genopsCharts();
    if (stream && stream.readyState === 1) show("live");
    else if (kept("genops-live") === "off") show("paused");
  }
  document.addEventListener("htmx:after:swap", ready);
  document.addEventListener("htmx:after:restore", ready);
  ready();
  if (document.querySelector("[data-live]")) listen(kept("genops-live") !== "off");
})();
