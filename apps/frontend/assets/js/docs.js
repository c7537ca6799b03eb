// The viewer of the shop's OpenAPI document. It asks no other host for anything.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

const viewer = document.getElementById("viewer");
SwaggerUI({
  domNode: viewer,
  url: viewer.dataset.document,
  validatorUrl: null,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  tryItOutEnabled: false,
});
