// Real programs, with what they are run on. Each case is a shell-less command line: the same one natively and in the
// machine. Inputs are made from a fixed generator, so a failure is repeatable. `long` scales a case for EFFIGY_LONG=1.

/** One program run. */
export interface ProgramCase {
  readonly name: string;
  /** Program and arguments; a program without a slash is looked up in PATH of this machine, and so are `also`. */
  readonly argv: readonly string[];
  /** Programs that the first one starts. */
  readonly also?: readonly string[];
  /** Directories of this machine that are needed as they are, e.g. a language's library. */
  readonly directories?: readonly string[];
  /** Files of the working directory. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Exit status that says that it ran as meant; default 0. */
  readonly exit?: number;
  /** Too slow for every day: EFFIGY_LONG=1 only. */
  readonly long?: boolean;
}

/** Bytes that look like nothing: xorshift32. */
export function noise(length: number, seed = 0x9e3779b9): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x >>> 11;
  }
  return bytes;
}

const WORDS =
  'alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo sierra tango'.split(
    ' ',
  );

/** Lines of words and numbers, compressible as text is. */
export function prose(lines: number, seed = 7): string {
  let x = seed;
  const next = (n: number): number => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    return (x >>> 8) % n;
  };
  const out: string[] = [];
  for (let i = 0; i < lines; i++) {
    const words = Array.from({ length: 3 + next(5) }, () => WORDS[next(WORDS.length)]);
    out.push(`${i} ${words.join(' ')} ${next(100_000)} ${(next(1_000_000) / 997).toFixed(4)}`);
  }
  return `${out.join('\n')}\n`;
}

const BASH = `
set -u
declare -A seen; words=(one two three "four five"); n=0
fib() { local a=0 b=1 i; for ((i = 0; i < $1; i++)); do ((b += a, a = b - a)); done; echo $a; }
for w in "\${words[@]}"; do seen[$w]=\${#w}; done
for k in one two three "four five"; do printf '%-10s %05d %x\\n' "$k" "\${seen[$k]}" "\${seen[$k]}"; done
fib 80; echo $((7**20 % 1000003)) $((-17 / 5)) $((-17 % 5)) $((1 << 62 >> 3))
text=$(printf '%s,' a b c | tr , ';'); echo "\${text%;} \${text^^} \${text//;/-}"
while read -r line; do ((n += \${#line})); [[ $line =~ ([0-9]+)\\.([0-9]+)$ ]] && last=\${BASH_REMATCH[2]}; done < input
echo $n $last; printf '%.3f %g %e\\n' 3.14159 1e-7 12345.678
cat <<< "here $(( n * 2 ))" | while read -r a b; do echo "$b $a"; done
trap 'echo leaving' EXIT; (exit 3); echo $?; false || echo no; exit 5
`;

const AWK = `
{ words += NF; for (i = 2; i < NF - 1; i++) count[$i]++; sum += $NF; if ($NF > max) max = $NF }
NR % 50 == 0 { printf "%d %.6f %s %e %g\\n", NR, sum / NR, substr($2, 2, 3), sqrt(sum), log(NR) }
END { n = 0; for (w in count) n += length(w) * count[w]; print NR, words, n, max; printf "%.15g %.17g %5.1f|%-8s|%08.3f\\n", sin(1) * exp(2), atan2(1, -2), 0.05, "x", -3.14159; print cos(3) ^ 3, int(-3.9), 2 ^ 0.5, toupper(substr("abc", 2)), index("hello", "l"), 1e300 * 1e10, -log(0) }
`;

const PERL = `
my (%h, @a); open my $f, '<', 'input' or die; while (<$f>) { my @w = split; $h{$_}++ for @w[1..$#w-2]; push @a, $w[-1]; }
printf "%s=%d\\n", $_, $h{$_} for sort keys %h; my @s = sort { $a <=> $b } @a;
printf "%.10g %.17g %e %a\\n", $s[0], $s[-1] / 3, $s[5] ** 0.5, 1.1;
my $t = join '', map { chr(97 + $_ % 26) } 1..200; (my $u = $t) =~ s/(\\w)(\\w)/$2$1/g; print "$u\\n", scalar reverse($t), "\\n";
print join(',', map { $_ * $_ } grep { $_ % 3 == 1 } 1..40), "\\n", unpack('%32C*', $t), ' ', sprintf('%b %o %X', 123456, 789, 0xbeef), "\\n";
print 2**63, ' ', -7 % 3, ' ', int(-7 / 2), ' ', 1e15 + 0.3, ' ', 0.1 + 0.2, ' ', 1e21, ' ', 9007199254740993, ' ', atan2(1, 1) * 4, "\\n";
my $c = 0; for my $i (2..2000) { my $p = 1; for (my $j = 2; $j * $j <= $i; $j++) { if ($i % $j == 0) { $p = 0; last } } $c += $p } print "$c\\n";
print "caught: $@" unless eval { die { code => 4 }->{code} . "\\n"; 1 }; exit 3;
`;

const SQL = `
create table t(id integer primary key, name text, v real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 400)
insert into t select i, 'name' || (i * 7919 % 1009), i * 1.5 / 7 from n;
create index byname on t(name);
select count(*), sum(v), avg(v), min(name), max(name), total(v * v) from t;
select name, round(v, 3) from t where name between 'name1' and 'name12' order by name limit 12;
select substr(name, 5, 1) d, count(*), printf('%.4f', avg(v)) from t group by d having count(*) > 20 order by 2 desc, 1;
begin; update t set v = v * -1 where id % 3 = 0; delete from t where id % 5 = 0; commit;
select a.id, b.id from t a join t b on b.id = a.id * 2 where a.v < 0 order by a.v limit 5;
select hex(name), upper(name), length(name), quote(v), typeof(v), v / 3, 1e20, 0.1 + 0.2 from t where id < 5;
select sum(abs(v)), group_concat(id, '-') from (select * from t order by v limit 10);
select json_extract('{"a":[1,2.5,{"b":"x"}]}', '$.a[2].b'), date('2024-02-29', '+1 year'), strftime('%j', 86400 * 400, 'unixepoch'), julianday('2000-01-01');
pragma integrity_check;
`;

const PYTHON_NUMBERS = `
import math, decimal, fractions, hashlib, json, struct
print([repr(x) for x in (0.1, 1/3, 1e22, 1e23, 5e-324, 1.7976931348623157e308, -0.0, 2**53 + 1.0, float('inf'), float('nan'))])
print(['%.3f %.17g %e %g' % (x, x, x, x) for x in (math.pi, 1e-7, 123456789.125, 2/3)])
print([float(s) for s in ('1e-400', '2.2250738585072011e-308', '9007199254740993', '0.1e1', '1.00000000000000011102230246251565')])
print(2**521 - 1, math.factorial(120), pow(3, 10**6, 10**9 + 7), (10**200) // 7**30, -(7**77) % 13**9)
print(math.isqrt(2 * 10**120), math.gcd(2**200 - 1, 2**150 - 1), int('1' * 300) ** 2 % 998244353, hex(3**200))
print(math.sin(1e22), math.exp(1.5), math.log(10), math.gamma(5.5), math.fsum([0.1] * 10), math.hypot(3, 4.1), (2.5).hex(), round(2.675, 2), 7.0 // -2, -7.5 % 2)
print(fractions.Fraction('0.1') + fractions.Fraction(1, 3), decimal.Decimal(1) / decimal.Decimal(7), decimal.Decimal(2).sqrt())
print(json.dumps({'a': [1.5, 1e100, None, 'x\\u00e9']}), struct.pack('<dfq', 1.1, 2.2, -5).hex(), hashlib.sha256(b'abc').hexdigest())
print(sorted({'b': 2, 'a': 1}.items()), sum(i * i for i in range(2000)), ''.join(chr(97 + i * 7 % 26) for i in range(50)))
`;

const PYTHON_LITTLE = `
print([repr(x) for x in (0.1, 1/3, 1e22, 5e-324, 1.7976931348623157e308, 2**53 + 1.0, float('nan'))], '%.17g %e' % (2/3, 1e-7))
print(2**521 - 1, pow(3, 10**6, 10**9 + 7), (10**90) // 7**30, -(7**77) % 13**9, hex(3**100), round(2.675, 2), -7.5 % 2)
`;

const TAR = 'tar --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw -cf';
const DIGESTS = 'md5 sha1 sha256 sha512 sha3-256 blake2b512 ripemd160';
const AES =
  '-aes-256-cbc -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 0102030405060708090a0b0c0d0e0f10';

/** base ** exponent % modulus */
function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** The first number from `start` on that is a prime (to a few bases) and leaves 65537 invertible. */
function primeFrom(start: bigint): bigint {
  for (let p = start | 1n; ; p += 2n) {
    const passes = [2n, 3n, 5n, 7n].every((base) => power(base, p - 1n, p) === 1n);
    if (passes && (p - 1n) % 65537n !== 0n) return p;
  }
}

/** An RSA key of 1024 bits from fixed noise, as a configuration for `openssl asn1parse -genconf`. */
function rsaKey(): string {
  const [p, q] = [1, 2].map((seed) => {
    const bytes = noise(64, 0x1234_5678 * seed);
    bytes[0] |= 0xc0;
    return primeFrom(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
  });
  const e = 65537n;
  const phi = (p - 1n) * (q - 1n);
  // by Fermat: phi + 1 + k * phi is a multiple of e for one k below e
  const k = power(phi % e, e - 2n, e) * (e - 1n);
  const d = (1n + (k % e) * phi) / e;
  const numbers = [0n, p * q, e, d, p, q, d % (p - 1n), d % (q - 1n), power(q, p - 2n, p)];
  const lines = numbers.map((number, i) => `i${i}=INTEGER:0x${number.toString(16)}`);
  return `asn1=SEQUENCE:key\n[key]\n${lines.join('\n')}\n`;
}

/** PKCS #8 of the Ed25519 key whose seed is 32 fixed bytes. */
const ED25519 = Uint8Array.from([
  0x30,
  0x2e,
  2,
  1,
  0,
  0x30,
  5,
  6,
  3,
  0x2b,
  0x65,
  0x70,
  4,
  0x22,
  4,
  0x20,
  ...Array.from({ length: 32 }, (_, i) => i * 7),
]);

/** Keys that are made of fixed numbers, signatures that are checked. */
const OPENSSL_KEYS = [
  'openssl asn1parse -genconf key.cnf -noout -out rsa.der',
  'openssl rsa -inform DER -in rsa.der -check -noout',
  'openssl dgst -sha256 -keyform DER -sign rsa.der -out sig text; sha256sum sig',
  'openssl dgst -sha256 -keyform DER -prverify rsa.der -signature sig text',
  'openssl pkeyutl -sign -rawin -keyform DER -inkey ed.der -in text -out eds; sha256sum eds',
  'openssl pkey -inform DER -in ed.der -pubout -out pub; cat pub',
  'openssl pkeyutl -verify -rawin -pubin -inkey pub -in text -sigfile eds',
].join('; ');

/**
 * The cases; `long`: in the sizes that the programs' users would call real (10 MB, 2,000 digits), else as little as
 * still takes the program through its work.
 */
export function programCases(long: boolean): readonly ProgramCase[] {
  const shell = (script: string): readonly string[] => ['bash', '-c', script];
  const choose = (whole: string, little: string): string => (long ? whole : little);
  const data = noise(long ? 10_000_000 : 5000);
  const text = prose(long ? 600 : 24);
  const input = prose(long ? 200 : 8);
  const archive = { 'd/a.txt': input, 'd/b.bin': data.subarray(0, 3000), 'd/e/c': '' };
  return [
    { name: 'bash', argv: shell(BASH), also: ['tr', 'cat'], files: { input }, exit: 5 },
    { name: 'awk', argv: ['mawk', AWK, 'input'], files: { input: text } },
    {
      name: 'perl',
      argv: ['perl', '-e', PERL.replace('2000', choose('20000', '60'))],
      files: { input },
      exit: 3,
    },
    { name: 'sha256sum', argv: ['sha256sum', 'data', 'text'], files: { data, text } },
    {
      name: 'other sums',
      argv: shell(
        choose('md5sum text; sha1sum text; sha512sum text; cksum text', 'sha512sum text; cksum text'),
      ),
      also: ['md5sum', 'sha1sum', 'sha512sum', 'cksum'],
      files: { text },
    },
    {
      name: 'gzip',
      argv: shell(
        choose(
          'gzip -nc9 text; gzip -nc1 data > d.gz; sha256sum d.gz; gzip -dc d.gz | sha256sum; gzip -l d.gz',
          'gzip -nc9 text > t.gz; gzip -dc t.gz; gzip -nc1 text',
        ),
      ),
      also: ['gzip', 'sha256sum'],
      files: { data, text },
    },
    {
      name: 'openssl dgst',
      argv: shell(
        `for a in ${DIGESTS}; do openssl dgst -$a text; done; openssl dgst -sha256 -hmac key text; openssl enc ${AES} -in text | openssl dgst -sha256; openssl prime 1000003 1000001`,
      ),
      // ten million instructions before the first byte is digested
      long: true,
      also: ['openssl'],
      directories: ['/usr/lib/x86_64-linux-gnu/ossl-modules'],
      files: { text },
    },
    {
      name: 'openssl keys and signatures',
      argv: shell(OPENSSL_KEYS),
      long: true,
      also: ['openssl', 'sha256sum', 'cat'],
      directories: ['/usr/lib/x86_64-linux-gnu/ossl-modules'],
      files: { text, 'key.cnf': long ? rsaKey() : '', 'ed.der': ED25519 },
    },
    {
      name: 'openssl, one digest',
      argv: ['openssl', 'dgst', '-sha256', 'text'],
      files: { text },
    },
    {
      name: 'bc',
      argv: shell(
        `bc -l <<< '${choose('scale=2000; 4*a(1); scale=100; e(1); l(10); j(1,2)', 'scale=30; 4*a(1)')}; scale=20; sqrt(2); 2^200 % 997; s(0.5); obase=16; 255^9'`,
      ),
      also: ['bc'],
    },
    { name: 'sqlite3', argv: ['sqlite3', 'base.db', long ? SQL : SQL.replace('i < 400', 'i < 20')] },
    {
      name: 'xz',
      argv: shell(
        choose(
          'xz -zc -T1 text > t.xz; sha256sum t.xz; xz -dc t.xz | sha256sum; xz --robot -l t.xz',
          'xz -0 -zc text',
        ),
      ),
      also: ['xz', 'sha256sum'],
      files: { text: input },
    },
    {
      name: 'sort',
      argv: shell(
        choose(
          'sort text | sha256sum; sort -k3,3 -k1,1nr text | tail -3; sort -g -r -k1 text | head -2; sort -t" " -k2 -u text | wc; sort -R --random-source=text text | head -1',
          'sort text; sort -k3,3 -k1,1nr text',
        ),
      ),
      also: ['sort', 'sha256sum', 'tail', 'head', 'wc'],
      files: { text },
    },
    {
      name: 'grep',
      argv: shell(
        choose(
          'grep -c golf text; grep -nE "(alpha|echo) .*(9+)\\.[0-4]+$" text | head -5; grep -oiw "TANGO [a-z]*" text | sort | uniq -c; grep -vP "(?<=a )[b-y]" text | tail -2; grep -F -e "lima mike" -e "zulu" text | wc -l',
          'grep -nE "(alpha|echo) .*(9+)\\.[0-4]+$" text; grep -oiw "TANGO [a-z]*" text',
        ),
      ),
      also: ['grep', 'sort', 'uniq', 'tail', 'head', 'wc'],
      files: { text },
    },
    {
      name: 'sed',
      argv: [
        'sed',
        '-nE',
        's/([a-z]+) ([a-z]+)/\\2-\\1/2;5,9{y/aeiou/AEIOU/;p};/kilo/{N;s/\\n/ | /;G;h;$!d;p};$p',
        'input',
      ],
      files: { input },
    },
    {
      name: 'tar',
      argv: shell(
        choose(
          `${TAR} a.tar d; sha256sum a.tar; tar -tvf a.tar; mkdir x; tar -C x -xzf <(gzip -nc a.tar); cat x/d/a.txt | sha256sum`,
          `${TAR} a.tar d; tar -tvf a.tar`,
        ),
      ),
      also: ['tar', 'gzip', 'sha256sum', 'cat', 'mkdir'],
      files: archive,
    },
    {
      name: 'jq',
      argv: [
        'jq',
        '-S',
        '[.items[] | {k: .name, v: (.v * 1.1 | floor), s: (.v / 3), r: (.name | ascii_upcase | test("A.*O"))}] | group_by(.r) | map({n: length, t: (map(.s) | add), k: map(.k)}) , (1e1000, 0.1 + 0.2, 3.0, 1e17, -0.5 | tostring), ([range(20)] | map(sin) | add)',
        'x.json',
      ],
      files: {
        'x.json': JSON.stringify({ items: WORDS.map((name, i) => ({ name, v: (i * 7919) % 113 })) }),
      },
      // compiles its own library at start: 180 million instructions
      long: true,
    },
    {
      name: 'small tools',
      argv: shell(
        choose(
          'find d -type f -printf "%p %s\\n" | sort | xargs -n1 echo f:; expr 17 \\* 23 : "3.*"; seq -s, 0.5 0.25 3; numfmt --to=iec 123456789; od -tfD -tx2 -An -N32 d/b.bin; ',
          '',
        ) +
          'TZ=UTC date -d @1700000000 "+%A %F %T %j %U"; env printf "%a %.20Lf %Lg %010.4f\\n" 1.1 0.1 1e4000 -2.5; factor 1234567890123456789 18446744073709551557',
      ),
      also: [
        'find',
        'sort',
        'xargs',
        'echo',
        'date',
        'expr',
        'seq',
        'env',
        'printf',
        'factor',
        'numfmt',
        'od',
      ],
      files: archive,
    },
    {
      name: 'python3, some floats and big integers',
      argv: ['/usr/bin/python3', '-I', '-S', '-c', PYTHON_LITTLE],
      // what it imports at start
      directories: ['encodings', 'os.py', 'codecs.py', 'lib-dynload'].map(
        (name) => `/usr/lib/python3.11/${name}`,
      ),
    },
    {
      name: 'python3 floats and big integers',
      argv: ['/usr/bin/python3', '-I', '-S', '-c', PYTHON_NUMBERS],
      directories: ['/usr/lib/python3.11'],
      long: true,
    },
  ];
}
