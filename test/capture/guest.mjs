// npm run test:guest [-- PACKAGE]: runs the capture script inside a virtual machine with a Debian kernel.
// PACKAGE is a kernel package of this distribution, by default linux-image-cloud-amd64.
// Needs the packages named below, an apt archive, about 300 MB of disk and a few minutes. Not part of npm test.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const cache = path.join(root, 'node_modules', '.cache', 'capture-guest');
const kernelPackage = process.argv[2] ?? 'linux-image-cloud-amd64';
const bootLimitSeconds = Number(process.env.GUEST_SECONDS ?? 420);
const acceleration = process.env.GUEST_ACCEL ?? 'tcg';
const problems = [];
/** What the disks need; modules that the kernel has built in are simply not there. */
const modules = ['virtio', 'virtio_ring', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci', 'virtio_blk'];

requireTools({
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  cpio: 'cpio',
  'dpkg-deb': 'dpkg',
  xz: 'xz-utils',
});
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'swiotlb-lens-guest-'));
try {
  const cli = await buildCli();
  const kernel = fetchKernel(kernelPackage);
  console.log(`kernel: ${kernel.release}`);
  const script = run(process.execPath, [cli, 'capture', '--kernel', kernel.release, '--seconds', '8']);
  const initramfs = makeInitramfs(kernel, script);
  const { console: log, files } = await boot(kernel, initramfs);
  judgeGuest(log, files);
  for (const bundle of files.filter((file) => file.endsWith('.tar.gz'))) judgeBundle(cli, bundle);
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
for (const problem of problems) console.log(`FAILED: ${problem}`);
console.log(problems.length === 0 ? 'guest: passed' : `guest: ${problems.length} failed`);
process.exitCode = problems.length === 0 ? 0 : 1;

function check(holds, problem) {
  if (!holds) problems.push(problem);
}

function requireTools(packages) {
  const missing = Object.entries(packages).filter(([tool]) => spawnSync('sh', ['-c', `command -v ${tool}`]).status);
  if (missing.length > 0) {
    console.error(`missing: ${missing.map(([tool]) => tool).join(', ')}`);
    console.error(`install with: apt-get install --no-install-recommends ${missing.map(([, name]) => name).join(' ')}`);
    process.exit(2);
  }
}

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { maxBuffer: 1 << 28, ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? String(stderr)}`);
  return options.encoding === null ? stdout : String(stdout);
}

async function buildCli() {
  const outfile = path.join(scratch, 'package', 'dist', 'cli.js');
  await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
  });
  fs.copyFileSync(path.join(root, 'package.json'), path.join(scratch, 'package', 'package.json'));
  return outfile;
}

/** Kernel image and modules out of the package that the (meta) package stands for; nothing is installed. */
function fetchKernel(name) {
  const depends = run('apt-cache', ['depends', name]);
  const real = /Depends: (linux-image-\d\S+)/.exec(depends)?.[1] ?? name;
  const folder = path.join(cache, real);
  if (!fs.existsSync(path.join(folder, 'boot'))) {
    console.log(`fetching ${real}`);
    fs.mkdirSync(folder, { recursive: true });
    run('apt-get', ['download', real], { cwd: folder });
    const deb = fs.readdirSync(folder).find((file) => file.endsWith('.deb'));
    run('dpkg-deb', ['-x', path.join(folder, deb), folder]);
    fs.rmSync(path.join(folder, deb));
  }
  const image = fs.readdirSync(path.join(folder, 'boot')).find((file) => file.startsWith('vmlinuz-'));
  const release = image.replace('vmlinuz-', '');
  const lib = ['usr/lib', 'lib'].map((at) => path.join(folder, at, 'modules', release)).find((at) => fs.existsSync(at));
  return {
    image: path.join(folder, 'boot', image),
    config: path.join(folder, 'boot', `config-${release}`),
    release,
    lib,
  };
}

function makeInitramfs(kernel, script) {
  const tree = path.join(scratch, 'initramfs');
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'lib', 'boot', 'tmp']) {
    fs.mkdirSync(path.join(tree, folder), { recursive: true });
  }
  fs.copyFileSync(run('sh', ['-c', 'command -v busybox']).trim(), path.join(tree, 'bin', 'busybox'));
  fs.copyFileSync(kernel.config, path.join(tree, 'boot', `config-${kernel.release}`));
  const all = fs.readdirSync(kernel.lib, { recursive: true, encoding: 'utf8' });
  const present = modules.flatMap((name) => {
    const file = all.find((candidate) => new RegExp(`/${name}\\.ko(\\.xz)?$`).test(candidate));
    if (file === undefined) return [];
    const bytes = file.endsWith('.xz')
      ? run('xz', ['-dc', path.join(kernel.lib, file)], { encoding: null })
      : fs.readFileSync(path.join(kernel.lib, file));
    fs.writeFileSync(path.join(tree, 'lib', `${name}.ko`), bytes);
    return [name];
  });
  fs.writeFileSync(path.join(tree, 'swiotlb-capture.sh'), script);
  fs.writeFileSync(path.join(tree, 'init'), guestInit(present), { mode: 0o755 });
  const archive = path.join(scratch, 'initramfs.img');
  run('sh', ['-c', `cd '${tree}' && find . | cpio -o -H newc --quiet | gzip -1 > '${archive}'`]);
  return archive;
}

/** Three recordings: to the end, stopped by Ctrl-C, and killed; after each one the tracer must be as before. */
function guestInit(present) {
  return `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for pass in 1 2 3; do
  for name in ${present.join(' ')}; do insmod /lib/$name.ko 2> /dev/null; done
done
cd /tmp
left_over() {
  mount -t tracefs tracefs /sys/kernel/tracing
  echo "GUEST $1 instances $(ls /sys/kernel/tracing/instances | wc -l)"
  echo "GUEST $1 probes $(wc -l < /sys/kernel/tracing/dynamic_events)"
  echo "GUEST $1 events $(wc -l < /sys/kernel/tracing/set_event)"
  umount /sys/kernel/tracing
}
recording() {
  while ! ls /tmp/swiotlb-capture-*/debugfs.csv > /dev/null 2>&1; do sleep 1; done
}
# The load runs while a recording does.
load() {
  while [ ! -e /sys/kernel/tracing/instances/swiotlb-lens ]; do sleep 0.2; done
  for reader in 0 1 2 3; do
    ( while [ -e /tmp/load ]; do dd if=/dev/vda of=/dev/null bs=512k iflag=direct skip=$((reader * 20)) count=20 2> /dev/null; sleep 0.2; done ) &
  done
}
touch /tmp/load
load &
sh /swiotlb-capture.sh
echo "GUEST whole exit $?"
left_over whole
echo "GUEST mounts $(grep -c -e tracefs -e debugfs /proc/mounts)"
# Ctrl-C, while the recording runs.
( recording; sleep 3; kill -INT $(cat /tmp/pid) ) &
sh -c 'echo $$ > /tmp/pid; exec sh /swiotlb-capture.sh --seconds 100'
echo "GUEST stopped exit $?"
left_over stopped
sh /swiotlb-capture.sh --seconds 100 & victim=$!
recording
sleep 3
kill -9 $victim
sleep 1
sh /swiotlb-capture.sh --seconds 1 && echo "GUEST killed went on"
sh /swiotlb-capture.sh --cleanup
left_over killed
rm -rf /tmp/load
wait
tar -cf /dev/vdb *.tar.gz
sync
echo GUEST end
poweroff -f
`;
}

async function boot(kernel, initramfs) {
  const data = path.join(scratch, 'data.img');
  const out = path.join(scratch, 'out.img');
  fs.closeSync(fs.openSync(data, 'w'));
  fs.truncateSync(data, 64 << 20);
  fs.closeSync(fs.openSync(out, 'w'));
  fs.truncateSync(out, 256 << 20);
  // Only a device with iommu_platform=on uses the DMA API, and so bounces.
  const qemu = spawn('qemu-system-x86_64', [
    ...['-accel', acceleration, '-machine', 'q35', '-cpu', 'max', '-smp', '2', '-m', '3072', '-nodefaults'],
    ...['-display', 'none', '-serial', 'stdio', '-no-reboot', '-kernel', kernel.image, '-initrd', initramfs],
    ...['-append', 'console=ttyS0 panic=-1 swiotlb=512,force tsc=reliable quiet loglevel=1'],
    ...['-drive', `file=${data},format=raw,if=none,id=data`],
    ...['-device', 'virtio-blk-pci,drive=data,iommu_platform=on,disable-legacy=on'],
    ...['-drive', `file=${out},format=raw,if=none,id=out`, '-device', 'virtio-blk-pci,drive=out'],
  ]);
  let log = '';
  for (const stream of [qemu.stdout, qemu.stderr]) {
    stream.on('data', (bytes) => {
      log += bytes;
      if (process.env.GUEST_VERBOSE) process.stdout.write(bytes);
    });
  }
  const limit = setTimeout(() => qemu.kill('SIGKILL'), bootLimitSeconds * 1000);
  await new Promise((resolve) => qemu.on('close', resolve));
  clearTimeout(limit);
  if (!log.includes('GUEST end')) {
    fs.writeSync(1, `${log.slice(-6000)}\n`);
    throw new Error(`the guest did not come to its end in ${bootLimitSeconds} s (GUEST_SECONDS=… gives it longer)`);
  }
  const folder = path.join(scratch, 'out');
  fs.mkdirSync(folder);
  run('tar', ['-C', folder, '-xf', out]);
  const kept = process.env.GUEST_KEEP;
  if (kept) fs.cpSync(folder, kept, { recursive: true });
  return { console: log, files: fs.readdirSync(folder).map((name) => path.join(folder, name)) };
}

function judgeGuest(log, files) {
  for (const line of log.split(/\r?\n/).filter((text) => /GUEST|swiotlb-capture:/.test(text))) console.log(`  ${line}`);
  const said = (text) => new RegExp(`GUEST ${text}\\r?$`, 'm').test(log);
  check(said('whole exit 0'), 'the recording ended with an error');
  for (const when of ['whole', 'stopped', 'killed']) {
    for (const what of ['instances', 'probes', 'events']) {
      check(said(`${when} ${what} 0`), `${when}: ${what} are left over`);
    }
  }
  check(!said('killed went on'), 'a second recording started beside the leftovers of a killed one');
  check(said('mounts 0'), 'file systems stayed mounted');
  check(files.length === 2, `${files.length} bundles instead of 2 (one whole, one stopped by Ctrl-C)`);
}

function judgeBundle(cli, bundle) {
  console.log(path.basename(bundle));
  const folder = path.join(scratch, 'open');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder);
  run('tar', ['-C', folder, '-xzf', bundle]);
  const capture = path.join(folder, fs.readdirSync(folder)[0]);
  console.log(`  members: ${fs.readdirSync(capture).sort().join(' ')}`);
  console.log(`  notes: ${fs.readFileSync(path.join(capture, 'notes.txt'), 'utf8').trim().split('\n').join(' | ')}`);
  for (const name of ['kprobe_events.txt', 'dynamic_events.txt', 'kprobe_profile.txt']) {
    const file = path.join(capture, name);
    if (fs.existsSync(file))
      console.log(`  ${name}:\n${fs.readFileSync(file, 'utf8').replace(/^/gm, '    ').trimEnd()}`);
  }
  const json = (...args) => JSON.parse(run(process.execPath, [cli, ...args, '--json']));
  // What the shell read of a clock while the kernel went on: the two clocks of a machine that never slept run together.
  for (const name of ['trace.txt', 'buddyinfo.txt', 'dmesg.txt']) {
    const marks = fs.readFileSync(path.join(capture, name), 'utf8').matchAll(/mono=([\d.]+) boot=([\d.]+)/g);
    const apart = [...marks].map(([, mono, boot]) => Math.abs(Number(mono) - Number(boot)));
    check(apart.length > 0 && apart.every((seconds) => seconds < 0.5), `${name}: a marker has a wrong time (${apart})`);
  }
  const info = json('info', bundle);
  const joined = ['dmesg.txt', 'debugfs.csv', 'buddyinfo.txt'].map((name) => {
    const { offsetNs = null, offsetErrorNs = null } = info.sources.find(({ file }) => file.endsWith(name)) ?? {};
    check(offsetNs !== null && offsetErrorNs < 1e7, `${name} is not on the trace's clock`);
    return `${name} ${offsetNs / 1e9} s ± ${offsetErrorNs / 1e6} ms`;
  });
  console.log(`  clocks: ${joined.join(', ')}`);
  const { ledger, geometry } = info;
  console.log(`  requests ${info.requests}, bounced ${info.bounced}, lines ${info.lines}`);
  console.log(
    `  ledger ${JSON.stringify({ understood: ledger.understood, notUnderstood: ledger.notUnderstood, exact: ledger.exact, assumed: ledger.assumed, lost: ledger.lost })}`,
  );
  console.log(`  kernel ${geometry.kernel}, pools ${JSON.stringify(geometry.pools)}, cpus ${geometry.cpus}`);
  const verify = json('verify', bundle);
  const { requests, checked, exact, learned, undecided, mismatched } = verify;
  console.log(
    `  verify ${JSON.stringify({ requests, checked, exact, learned, undecided, mismatched: mismatched.length })}`,
  );
  const diagnosis = json('diagnose', bundle);
  console.log(`  failures ${diagnosis.failures.length}`);
  check(info.requests > 100, 'hardly a request was recorded');
  check(ledger.notUnderstood === 0, `${ledger.notUnderstood} lines are not understood`);
  check(geometry.pools[0]?.slots === 512, 'the pool was not found');
  check(requests > 0 && exact + learned >= 0.9 * checked, 'the model does not reproduce the recorded addresses');
}
