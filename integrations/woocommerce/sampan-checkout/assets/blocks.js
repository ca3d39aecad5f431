/** Tells the block checkout that this way to pay exists. As the browser gets it: there is nothing to build. */
(function (registry, settings, element, entities) {
  "use strict";
  var told = settings.getSetting("sampan_data", null);
  if (!told) return;
  var title = entities.decodeEntities(told.title || "");
  function Description() {
    return element.createElement("div", null, entities.decodeEntities(told.description || ""));
  }
  registry.registerPaymentMethod({
    name: "sampan",
    label: title,
    ariaLabel: title,
    content: element.createElement(Description, null),
    edit: element.createElement(Description, null),
    canMakePayment: function () {
      return true; // whether it is on offer was decided on the server
    },
    supports: { features: told.supports || ["products"] },
  });
})(window.wc.wcBlocksRegistry, window.wc.wcSettings, window.wp.element, window.wp.htmlEntities);
