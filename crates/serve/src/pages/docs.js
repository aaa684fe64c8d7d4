const make = (tag, text, ...children) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
};

const spec = await (await fetch("openapi.json")).json();
const find = (schema) => (schema?.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema);

function kind(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.oneOf) return schema.oneOf.map(kind).join(" or ");
  if (schema.type === "array") return `array of ${kind(schema.items)}`;
  return [schema.type ?? []].flat().join(" or ");
}

function fields(schema) {
  const rows = Object.entries(find(schema)?.properties ?? {}).map(([name, field]) =>
    make("tr", "", make("td", "", make("code", name)), make("td", kind(field)), make("td", field.description ?? "")));
  return make("table", "", ...rows);
}

const parts = [];
for (const [path, methods] of Object.entries(spec.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    parts.push(make("h2", `${method.toUpperCase()} ${path}`));
    parts.push(make("p", [operation.summary, operation.description].filter(Boolean).join(" ")));
    const body = operation.requestBody?.content["application/json"]?.schema;
    if (body) parts.push(make("h3", "Fields"), fields(body));
    const rows = Object.entries(operation.responses).map(([status, response]) =>
      make("tr", "", make("td", status), make("td", response.description)));
    parts.push(make("h3", "Answers"), make("table", "", ...rows));
  }
}
document.getElementById("docs").replaceChildren(...parts);
