// Before the first paint: the theme that was chosen here, and that there is JavaScript.
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var theme = localStorage.getItem("genops-theme");
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  } catch (error) {
    // storage is switched off: the system's theme is used
  }
})();
