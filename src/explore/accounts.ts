// Accounts that the container has and a password opens (shadow(5)). Which password that is, the one who deploys it
// decides, and nobody could find it by trying: clients may know it, so here it is one that they know. What services do
// once somebody is logged in gets into the model in this way.
import { decodeText, encodeText } from '../bytes/index.ts';
import { type Kernel, readFileStart, rewriteFile } from '../linux/index.ts';

/** What clients say it is. */
export const PASSWORD = 'effigy';
/** The same as crypt(3) has it: by MD5, which every libcrypt knows and which takes the least time. */
const HASH = '$1$effigy$v6MRuS3J6AOQBraFnn/G/.';

const SHADOW = '/etc/shadow';
const MAX_BYTES = 1 << 20;

/** Names with a password that can be right, in the file's order; none where the container has no such file. */
export const accountsOf = (kernel: Kernel): readonly string[] =>
  linesOf(kernel)
    .filter(isOpen)
    .map(([name]) => name);

/** One of the accounts, which from now on has the password that clients know. */
export function openAccount(kernel: Kernel, choice: number): string | undefined {
  const accounts = accountsOf(kernel);
  if (accounts.length === 0) return undefined;
  const account = accounts[choice % accounts.length];
  const lines = linesOf(kernel).map((fields) =>
    fields[0] === account ? [account, HASH, ...fields.slice(2)] : fields,
  );
  rewriteFile(kernel, SHADOW, encodeText(lines.map((fields) => fields.join(':')).join('\n')));
  return account;
}

function linesOf(kernel: Kernel): readonly (readonly string[])[] {
  const bytes = readFileStart(kernel, SHADOW, MAX_BYTES);
  if (bytes === undefined || bytes.length === MAX_BYTES) return [];
  return decodeText(bytes)
    .split('\n')
    .map((line) => line.split(':'));
}

/** `*` and `!` lock an account; without any text no password is asked for. */
const isOpen = ([name, hash]: readonly string[]): boolean => name !== '' && /^[^*!]/.test(hash ?? '');
