/**
 * Pictures for fake cameras: drawn people, so that screenshots show a call rather than a test card.
 * Nobody real was drawn. Each is an MJPEG file, which is JPEG pictures one after the other.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const frames = 16;

export const people = {
  mira: { skin: "#c98d66", shade: "#b57850", hair: "#2d211c", style: "bun", shirt: "#2f7f83", wall: ["#e9ddcb", "#d9c8b0"], room: "shelf" },
  jonas: { skin: "#eec3a0", shade: "#dcaa84", hair: "#8a5a2e", style: "short", shirt: "#3e5673", wall: ["#cfdcdc", "#b3c7c9"], room: "window" },
  amara: { skin: "#7d4e35", shade: "#6b402a", hair: "#1d1715", style: "curls", shirt: "#c9803f", wall: ["#d6ddc9", "#bccaad"], room: "plant" },
};

/** Writes one file per person into `directory`; returns their paths by name. */
export async function drawCameras(browser, directory) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 720 });
  const paths = {};
  for (const [name, look] of Object.entries(people)) {
    const pictures = [];
    for (let frame = 0; frame < frames; frame += 1) {
      await page.setContent(`<style>*{margin:0}</style>${drawing(look, frame / frames)}`);
      pictures.push(await page.screenshot({ type: "jpeg", quality: 86 }));
    }
    paths[name] = join(directory, `${name}.mjpeg`);
    await writeFile(paths[name], Buffer.concat(pictures));
  }
  await page.close();
  return paths;
}

function drawing(look, phase) {
  const turn = Math.sin(phase * 2 * Math.PI);
  const nod = Math.cos(phase * 4 * Math.PI) * 2;
  const mouth = 5 + 4 * Math.abs(Math.sin(phase * 6 * Math.PI));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="720" viewBox="0 0 1280 720">
  <defs>
    <linearGradient id="wall" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${look.wall[0]}"/><stop offset="1" stop-color="${look.wall[1]}"/></linearGradient>
    <radialGradient id="light" cx="0.3" cy="0.15" r="0.9"><stop offset="0" stop-color="#fff" stop-opacity=".3"/><stop offset="1" stop-color="#fff" stop-opacity="0"/></radialGradient>
  </defs>
  <rect width="1280" height="720" fill="url(#wall)"/>
  ${rooms[look.room]}
  <rect width="1280" height="720" fill="url(#light)"/>
  <g transform="translate(${640 + turn * 6} ${nod})">${figure(look, turn, mouth)}</g>
  </svg>`;
}

const rooms = {
  shelf: `<g opacity=".85"><rect x="800" y="150" width="400" height="16" fill="#9c7a58"/><rect x="800" y="330" width="400" height="16" fill="#9c7a58"/>
    ${[[820, 34, 110, "#57808a"], [858, 26, 96, "#c4a15a"], [888, 40, 118, "#7a9471"], [934, 24, 90, "#b0654f"], [962, 30, 104, "#3f5c66"], [1100, 70, 60, "#d6c9b2"]]
      .map(([x, w, h, c]) => `<rect x="${x}" y="${150 - h}" width="${w}" height="${h}" rx="3" fill="${c}"/>`).join("")}
    ${[[830, 60, 70, "#cbb894"], [910, 28, 112, "#6d8a8f"], [944, 36, 100, "#a9745a"], [1050, 30, 96, "#4d6b53"], [1086, 26, 110, "#c8a765"]]
      .map(([x, w, h, c]) => `<rect x="${x}" y="${330 - h}" width="${w}" height="${h}" rx="3" fill="${c}"/>`).join("")}</g>
    <rect x="90" y="90" width="220" height="280" rx="6" fill="#f4ecdf"/><rect x="108" y="108" width="184" height="244" fill="#bcd0cc"/><path d="M108 300 160 230l50 60 40-40 42 50v52H108Z" fill="#7fa19c"/>`,
  window: `<rect x="110" y="60" width="330" height="430" rx="8" fill="#f5f7f6"/><rect x="130" y="80" width="140" height="390" fill="#bfe0e6"/><rect x="284" y="80" width="136" height="390" fill="#c9e6ea"/>
    <path d="M130 400c50-60 90-50 140-20v90H130Z" fill="#8fb59a"/><path d="M284 390c40-40 90-30 136-60v140H284Z" fill="#82a98f"/>
    <path d="M930 0v150" stroke="#5d6b6c" stroke-width="4"/><path d="M860 210c0-40 30-62 70-62s70 22 70 62Z" fill="#e3b24e"/>`,
  plant: `<rect x="120" y="120" width="250" height="180" rx="6" fill="#eef1e6"/><circle cx="245" cy="210" r="56" fill="#dba55c" opacity=".8"/>
    <g transform="translate(1010 330)"><path d="M0 250c-10-90-70-130-120-150 60-10 110 20 122 80 4-80-20-150-70-190 70 10 100 90 92 170 20-70 60-110 120-110-60 30-110 90-116 200Z" fill="#6a8f5c"/><path d="M-62 250H70l-14 130h-104Z" fill="#b9714e"/></g>`,
};

function figure(look, turn, mouth) {
  const face = turn * 5;
  return `
  ${hairBehind(look)}
  <path d="M-255 740c0-150 90-205 190-222h130c100 17 190 72 190 222Z" fill="${look.shirt}"/>
  <path d="M-62 440h124v86c-30 44-94 44-124 0Z" fill="${look.shade}"/>
  <path d="M-72 520c30 46 114 46 144 0l20 6c-34 70-150 70-184 0Z" fill="#fff" opacity=".16"/>
  <ellipse cx="-122" cy="352" rx="20" ry="30" fill="${look.shade}"/><ellipse cx="122" cy="352" rx="20" ry="30" fill="${look.shade}"/>
  <path d="M-122 320c0-110 50-160 122-160s122 50 122 160c0 96-52 168-122 168s-122-72-122-168Z" fill="${look.skin}"/>
  <g transform="translate(${face} 0)">
    <path d="M-78 300q24-16 48-4M30 296q24-12 48 4" stroke="${look.hair}" stroke-width="8" stroke-linecap="round" fill="none"/>
    <ellipse cx="-52" cy="332" rx="10" ry="12" fill="#2a211d"/><ellipse cx="52" cy="332" rx="10" ry="12" fill="#2a211d"/>
    <circle cx="-49" cy="328" r="3" fill="#fff"/><circle cx="55" cy="328" r="3" fill="#fff"/>
    <path d="M2 345q-16 38 4 42" stroke="${look.shade}" stroke-width="7" stroke-linecap="round" fill="none"/>
    <path d="M-38 420q38 ${18 + mouth} 76 0q-38 ${34 + mouth * 2} -76 0Z" fill="#8c3f3a"/>
    <circle cx="-84" cy="386" r="22" fill="#e0705a" opacity=".16"/><circle cx="84" cy="386" r="22" fill="#e0705a" opacity=".16"/>
  </g>
  ${hairFront(look)}`;
}

function hairBehind({ style, hair }) {
  if (style === "bun") return `<circle cx="0" cy="128" r="58" fill="${hair}"/><path d="M-140 330c-10-130 50-196 140-196s150 66 140 196c0 40-6 70-16 92H-124c-10-22-16-52-16-92Z" fill="${hair}"/>`;
  if (style === "curls") return [[-120, 210, 70], [-145, 300, 66], [-70, 150, 74], [0, 128, 78], [70, 150, 74], [120, 210, 70], [145, 300, 66], [-140, 380, 54], [140, 380, 54]].map(([x, y, r]) => `<circle cx="${x}" cy="${y}" r="${r}" fill="${hair}"/>`).join("");
  return "";
}

function hairFront({ style, hair }) {
  if (style === "short") return `<path d="M-128 322c-18-124 44-188 128-188 90 0 146 64 128 188-6-52-14-76-34-104-56 22-136 20-188-6-18 30-30 60-34 110Z" fill="${hair}"/>`;
  if (style === "bun") return `<path d="M-126 320c0-110 50-172 126-172s126 62 126 172c-16-52-44-92-92-112-30 34-100 62-160 112Z" fill="${hair}"/>`;
  return `<path d="M-124 300c4-90 54-146 124-146s120 56 124 146c-20-50-52-84-124-84s-104 34-124 84Z" fill="${hair}"/>`;
}
