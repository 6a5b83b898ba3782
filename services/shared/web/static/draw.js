// Draws where a warning is on a map, into the field for GeoJSON: what is drawn is text that can be read, changed and saved
// like every other way to say where. Without WebGL, or without these scripts, the other ways are what there was before.
const box = document.getElementById("draw");
const field = document.getElementById("geojson");
if (box && field) begin(box, field).catch(() => failed(box));

function failed(shown) {
  shown.querySelector("#map").hidden = true;
  shown.querySelector("#drawn").textContent = shown.dataset.failed;
  for (const button of shown.querySelectorAll("button")) button.hidden = true;
  shown.hidden = false;
}

function polygonsOf(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    return []; // half typed: the page says so when it is saved
  }
  const shapes = (one) => {
    if (!one || typeof one !== "object") return [];
    if (one.type === "FeatureCollection") return (one.features || []).flatMap(shapes);
    if (one.type === "Feature") return shapes(one.geometry);
    if (one.type === "GeometryCollection") return (one.geometries || []).flatMap(shapes);
    if (one.type === "MultiPolygon") return (one.coordinates || []).map((c) => [c[0]]);
    return one.type === "Polygon" ? [[one.coordinates[0]]] : [];
  };
  return shapes(found);
}

async function begin(shown, text) {
  const { Map: MapView, LngLatBounds } = await import(shown.dataset.maplibre);
  const terra = await import(shown.dataset.terra);
  const { TerraDrawMapLibreGLAdapter } = await import(shown.dataset.adapter);
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const paper = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
  const outlines = await (await fetch(shown.dataset.outlines)).json();
  const bounds = new LngLatBounds();
  const stretch = (rings) => rings.forEach((ring) => ring.forEach(([lon, lat]) => bounds.extend([lon, lat])));
  shown.hidden = false;
  const map = new MapView({
    container: "map",
    attributionControl: false,
    renderWorldCopies: false, // a corner on a copy of the world lies outside the globe
    locale: { "Map.Title": shown.dataset.title },
    style: {
      version: 8,
      sources: { areas: { type: "geojson", data: outlines } },
      layers: [
        { id: "ground", type: "background", paint: { "background-color": paper } },
        { id: "areas", type: "line", source: "areas", paint: { "line-color": ink, "line-width": 1 } },
      ],
    },
  });
  await map.once("load");
  const drawing = new terra.TerraDraw({
    adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 6 }),
    modes: [new terra.TerraDrawPolygonMode(), new terra.TerraDrawCircleMode()],
  });
  drawing.start();
  const load = () => {
    drawing.clear();
    const found = polygonsOf(text.value);
    drawing.addFeatures(
      found.map((rings) => ({
        type: "Feature",
        properties: { mode: "polygon" },
        geometry: { type: "Polygon", coordinates: rings.map((ring) => ring.map(([lon, lat]) => [+lon.toFixed(6), +lat.toFixed(6)])) },
      })),
    );
    return found;
  };
  const inAreas = outlines.features.filter((one) => one.properties.chosen);
  const there = load();
  there.forEach(stretch);
  for (const one of there.length || inAreas.length ? inAreas : outlines.features)
    for (const rings of polygonsOf(JSON.stringify(one.geometry))) stretch(rings);
  if (!bounds.isEmpty()) map.fitBounds(bounds, { padding: 40, maxZoom: 13, animate: false });

  const said = shown.querySelector("#drawn");
  const write = () => {
    const rings = drawing
      .getSnapshot()
      .filter((one) => one.geometry.type === "Polygon" && !one.properties.currentlyDrawing);
    const features = rings.map((one) => ({ type: "Feature", properties: {}, geometry: one.geometry }));
    text.value = features.length ? JSON.stringify({ type: "FeatureCollection", features }) : "";
    text.dispatchEvent(new Event("input", { bubbles: true }));
    said.textContent = shown.dataset.said.replace("@", String(features.length));
  };
  drawing.on("finish", write);
  text.addEventListener("change", load); // typed or pasted: the map shows it

  const canvas = map.getCanvas();
  const press = (mode) => {
    drawing.setMode(mode);
    for (const button of shown.querySelectorAll("[data-mode]"))
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    canvas.focus(); // else Enter, which ends an outline, would press the button again
    said.textContent = shown.dataset.how;
  };
  for (const button of shown.querySelectorAll("[data-mode]"))
    button.addEventListener("click", () => press(button.dataset.mode));
  shown.querySelector("[data-do=clear]").addEventListener("click", () => {
    drawing.clear();
    write();
  });
  shown.dataset.ready = "yes";
}
