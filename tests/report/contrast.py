"""A script that gives the contrast of every text of a page with what lies behind it."""

from __future__ import annotations

CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = layers => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of layers) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = each => each <= .04045 ? each / 12.92 : ((each + .055) / 1.055) ** 2.4;
  const light = rgb => rgb.map(each => linear(each / 255))
    .reduce((sum, each, at) => sum + each * [.2126, .7152, .0722][at], 0);
  const found = [];
  const check = (element, pseudo) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    const ink = getComputedStyle(element, pseudo).color, behind = over(layers), front = over([...layers, ink]);
    const [a, b] = [light(front), light(behind)].sort((a, b) => b - a);
    found.push([Math.round(100 * (a + .05) / (b + .05)) / 100, element.className, pseudo]);
  };
  for (const element of document.querySelectorAll("main *")) {
    if ([...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) check(element);
    if (element.matches(".tag, .sec")) check(element, "::before");
  }
  return JSON.stringify(found);
})()"""
