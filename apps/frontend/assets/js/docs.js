// The viewer of the shop's OpenAPI document. It asks no other host for anything.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

// Without this the head of the page would belong to no landmark, and headings would leave out a level.
const headings = () => ({
  wrapComponents: {
    InfoContainer:
      (Original, { React: { createElement } }) =>
      (props) =>
        createElement(
          "section",
          { "aria-label": "About" },
          createElement(Original, props),
          createElement("div", { className: "wrapper" }, createElement("h2", null, "Operations")),
        ),
  },
});

const viewer = document.getElementById("viewer");
SwaggerUI({
  domNode: viewer,
  plugins: [headings],
  url: viewer.dataset.document,
  validatorUrl: null,
  deepLinking: false, // its links would lie inside buttons
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  tryItOutEnabled: false,
});
