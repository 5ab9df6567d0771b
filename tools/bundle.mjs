// After tsc: puts the modules of the command line together in a few files, one a command, because Node takes longer to
// find, read and link hundreds of small ones than most commands take to run. dist/src/cli/effigy.js is what `effigy`
// starts; its parts stand beside it, so that paths relative to a module's place hold.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, transform } from 'esbuild';

// `node tools/bundle.mjs [FOLDER]`: another folder that tsc wrote to
/** Bundled too, since a CommonJS module that is imported is read twice; its WebAssembly stays beside it, where it was. */
const decoder = {
  name: 'decoder',
  setup(build) {
    build.onLoad({ filter: /iced_x86\.js$/ }, async ({ path }) => {
      const text = readFileSync(path, 'utf8').replace(
        /\b__dirname\b/,
        "require('path').dirname(require.resolve('iced-x86'))",
      );
      // most of it is comments
      return { contents: (await transform(text, { minifyWhitespace: true, legalComments: 'none' })).code };
    });
  },
};
const place = join(process.argv[2] ?? 'dist', 'src/cli');
for (const file of readdirSync(place)) if (/^part-\w+\.js$/.test(file)) rmSync(join(place, file));
const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  logLevel: 'warning',
  // they find their WebAssembly beside themselves
  external: ['@hpcc-js/wasm-graphviz'],
  plugins: [decoder],
  // what a library written for CommonJS calls
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
  },
};
await build({
  ...common,
  entryPoints: { effigy: join(place, 'main.js') },
  outdir: place,
  chunkNames: 'part-[hash]',
  splitting: true,
});
// what the bench measures starts as the command line does
const bench = join(place, '../../bench');
await build({
  ...common,
  entryPoints: [join(bench, 'program.js')],
  outfile: join(bench, 'program-whole.js'),
});
