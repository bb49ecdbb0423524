// The exports of one job, with sharp: `node exports.mjs JOB usual|shared|leanest`. Started by benchmarks/images.py.
//
// `usual`: as an application of 2025 would write it, one pipeline from the file for each export, all at once.
// `shared`: decoded once, one encoding for each distinct file, one after the other on one thread.
// `leanest`: the same without the pass that makes Huffman tables for each file, which sharp does unless told not to.
import { readFileSync, writeFileSync } from "node:fs";
import sharp from "sharp";

const [jobFile, form] = process.argv.slice(2);
const job = JSON.parse(readFileSync(jobFile, "utf8"));
sharp.cache(false);
if (form !== "usual") sharp.concurrency(1);

function framed(picture, wanted) {
  const { left, top, width, height } = wanted.crop;
  const shown = picture.extract({ left, top, width, height });
  return wanted.covers
    ? shown.resize(wanted.width, wanted.height, { fit: "fill" })
    : shown.resize(wanted.width, wanted.height, { fit: "contain", background: wanted.background });
}

const jpeg = (picture, wanted, options = {}) =>
  picture
    .withMetadata({ density: wanted.dpi })
    .withIccProfile("srgb")
    .jpeg({ quality: 90, chromaSubsampling: "4:2:0", ...options })
    .toBuffer();
const thumbnail = (picture) => picture.resize(400, 400, { fit: "cover" }).webp({ quality: 80, effort: 2 }).toBuffer();

async function usual() {
  const made = await Promise.all([
    ...job.platforms.map((wanted) => jpeg(framed(sharp(job.source), wanted), wanted)),
    thumbnail(sharp(job.source)),
  ]);
  return new Map(job.platforms.map((wanted, index) => [wanted.name, made[index]]));
}

async function shared() {
  const { data, info } = await sharp(job.source).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const decoded = () => sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
  const made = new Map();
  for (const wanted of job.distinct)
    made.set(wanted.name, await jpeg(framed(decoded(), wanted), wanted, { optimizeCoding: form === "shared" }));
  await thumbnail(decoded());
  return made;
}

const run = form === "usual" ? usual : shared;
const rounds = [];
let made;
for (let round = 0; round <= job.rounds; round += 1) {
  const began = process.hrtime.bigint();
  const before = process.cpuUsage();
  made = await run();
  const used = process.cpuUsage(before);
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  if (round > 0) rounds.push({ cpu: (used.user + used.system) / 1e6, wall });
}
for (const wanted of job.distinct) writeFileSync(`${job.out}/${wanted.name}.jpg`, made.get(wanted.name));
const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;
console.log(JSON.stringify({ rounds, peak, version: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}` }));
