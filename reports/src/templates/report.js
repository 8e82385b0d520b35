(function () {
  "use strict";
  var figures = Array.prototype.slice.call(document.querySelectorAll("figure[data-operation]"));
  var names = [];
  figures.forEach(function (figure) {
    if (names.indexOf(figure.dataset.operation) < 0) names.push(figure.dataset.operation);
  });
  if (names.length < 2) return;
  var chosen = "", lists = [];
  function show(name) {
    chosen = name;
    figures.forEach(function (figure) {
      figure.hidden = chosen !== "" && figure.dataset.operation !== chosen;
    });
    lists.forEach(function (list) { list.value = chosen; });
  }
  ["throughput", "latency"].forEach(function (id) {
    var section = document.getElementById(id), charts = section && section.querySelector(".charts");
    if (!charts) return;
    var label = document.createElement("label"), list = document.createElement("select");
    label.className = "choose";
    label.textContent = "Charts of ";
    [""].concat(names).forEach(function (name) {
      var option = document.createElement("option");
      option.value = name;
      option.textContent = name || "every operation";
      list.appendChild(option);
    });
    list.addEventListener("change", function () {
      show(list.value);
      section.scrollIntoView();
    });
    lists.push(list);
    label.appendChild(list);
    charts.parentNode.insertBefore(label, charts);
  });
  var before = "";
  addEventListener("beforeprint", function () { before = chosen; show(""); });
  addEventListener("afterprint", function () { show(before); });
})();
