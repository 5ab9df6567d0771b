// Encodings of SSE, SSE2 and MMX instructions, one a line, for the differential tests:
//
//   name prefix opcode reg rm [imm]
//
// prefix: - none, 66 f2 f3, or * for both none with MMX registers and 66 with XMM registers; w after it is REX.W.
// reg: x XMM, m MMX, g general register, or a digit of the opcode. rm: class and size of the memory operand in bytes,
// 0 where only a register is allowed; a leading = where only memory is allowed. imm: a byte follows.
import { type Case, DATA } from '../native/native.ts';
import {
  generalRegisters,
  mxcsrValue,
  operandAddress,
  patchAt,
  type Random,
  type ValueKind,
  vectorState,
  vectorValue,
  x87State,
} from './float-cases.ts';

export interface Form {
  readonly name: string;
  readonly prefix: string;
  readonly wide: boolean;
  readonly opcode: readonly number[];
  readonly reg: string;
  readonly rmClass: string;
  readonly memory: number;
  readonly memoryOnly: boolean;
  readonly immediate: boolean;
}

export const SSE_MOVES = `
movaps - 0f28 x x16
movaps - 0f29 x x16
movapd 66 0f28 x x16
movapd 66 0f29 x x16
movdqa 66 0f6f x x16
movdqa 66 0f7f x x16
movups - 0f10 x x16
movups - 0f11 x x16
movupd 66 0f10 x x16
movupd 66 0f11 x x16
movdqu f3 0f6f x x16
movdqu f3 0f7f x x16
movntps - 0f2b x =x16
movntpd 66 0f2b x =x16
movntdq 66 0fe7 x =x16
movss f3 0f10 x x4
movss f3 0f11 x x4
movsd f2 0f10 x x8
movsd f2 0f11 x x8
movhps - 0f16 x x8
movhps - 0f17 x =x8
movhpd 66 0f16 x =x8
movhpd 66 0f17 x =x8
movlps - 0f12 x x8
movlps - 0f13 x =x8
movlpd 66 0f12 x =x8
movlpd 66 0f13 x =x8
movd 66 0f6e x g4
movd 66 0f7e x g4
movq 66w 0f6e x g8
movq 66w 0f7e x g8
movq f3 0f7e x x8
movq 66 0fd6 x x8
movnti - 0fc3 g =g4
movnti w 0fc3 g =g8
movmskps - 0f50 g x0
movmskpd 66 0f50 g x0
maskmovdqu 66 0ff7 x x0
movq2dq f3 0fd6 x m0
movdq2q f2 0fd6 m x0
`;

export const SSE_PACKED = `
paddb * 0ffc p p
paddw * 0ffd p p
paddd * 0ffe p p
paddq * 0fd4 p p
psubb * 0ff8 p p
psubw * 0ff9 p p
psubd * 0ffa p p
psubq * 0ffb p p
paddsb * 0fec p p
paddsw * 0fed p p
paddusb * 0fdc p p
paddusw * 0fdd p p
psubsb * 0fe8 p p
psubsw * 0fe9 p p
psubusb * 0fd8 p p
psubusw * 0fd9 p p
pmullw * 0fd5 p p
pmulhw * 0fe5 p p
pmulhuw * 0fe4 p p
pmuludq * 0ff4 p p
pmaddwd * 0ff5 p p
pavgb * 0fe0 p p
pavgw * 0fe3 p p
pminub * 0fda p p
pminsw * 0fea p p
pmaxub * 0fde p p
pmaxsw * 0fee p p
psadbw * 0ff6 p p
pcmpeqb * 0f74 p p
pcmpeqw * 0f75 p p
pcmpeqd * 0f76 p p
pcmpgtb * 0f64 p p
pcmpgtw * 0f65 p p
pcmpgtd * 0f66 p p
pand * 0fdb p p
pandn * 0fdf p p
por * 0feb p p
pxor * 0fef p p
psllw * 0ff1 p p
pslld * 0ff2 p p
psllq * 0ff3 p p
psrlw * 0fd1 p p
psrld * 0fd2 p p
psrlq * 0fd3 p p
psraw * 0fe1 p p
psrad * 0fe2 p p
psllw * 0f71 6 p0 i
pslld * 0f72 6 p0 i
psllq * 0f73 6 p0 i
psrlw * 0f71 2 p0 i
psrld * 0f72 2 p0 i
psrlq * 0f73 2 p0 i
psraw * 0f71 4 p0 i
psrad * 0f72 4 p0 i
pslldq 66 0f73 7 x0 i
psrldq 66 0f73 3 x0 i
packsswb * 0f63 p p
packssdw * 0f6b p p
packuswb * 0f67 p p
punpcklbw * 0f60 p p
punpcklwd * 0f61 p p
punpckldq * 0f62 p p
punpckhbw * 0f68 p p
punpckhwd * 0f69 p p
punpckhdq * 0f6a p p
punpcklqdq 66 0f6c x x16
punpckhqdq 66 0f6d x x16
pshufd 66 0f70 x x16 i
pshuflw f2 0f70 x x16 i
pshufhw f3 0f70 x x16 i
pshufw - 0f70 m m8 i
pmovmskb 66 0fd7 g x0
pmovmskb - 0fd7 g m0
pextrw 66 0fc5 g x0 i
pextrw - 0fc5 g m0 i
pinsrw 66 0fc4 x g2 i
pinsrw - 0fc4 m g2 i
shufps - 0fc6 x x16 i
shufpd 66 0fc6 x x16 i
unpcklps - 0f14 x x16
unpckhps - 0f15 x x16
unpcklpd 66 0f14 x x16
unpckhpd 66 0f15 x x16
andps - 0f54 x x16
andpd 66 0f54 x x16
andnps - 0f55 x x16
andnpd 66 0f55 x x16
orps - 0f56 x x16
orpd 66 0f56 x x16
xorps - 0f57 x x16
xorpd 66 0f57 x x16
movd - 0f6e m g4
movd - 0f7e m g4
movq w 0f6e m g8
movq w 0f7e m g8
movq - 0f6f m m8
movq - 0f7f m m8
movntq - 0fe7 m =m8
maskmovq - 0ff7 m m0
emms - 0f77 none none
`;

export const SSE_FLOAT = `
addps - 0f58 x x16
addpd 66 0f58 x x16
addss f3 0f58 x x4
addsd f2 0f58 x x8
subps - 0f5c x x16
subpd 66 0f5c x x16
subss f3 0f5c x x4
subsd f2 0f5c x x8
mulps - 0f59 x x16
mulpd 66 0f59 x x16
mulss f3 0f59 x x4
mulsd f2 0f59 x x8
divps - 0f5e x x16
divpd 66 0f5e x x16
divss f3 0f5e x x4
divsd f2 0f5e x x8
minps - 0f5d x x16
minpd 66 0f5d x x16
minss f3 0f5d x x4
minsd f2 0f5d x x8
maxps - 0f5f x x16
maxpd 66 0f5f x x16
maxss f3 0f5f x x4
maxsd f2 0f5f x x8
sqrtps - 0f51 x x16
sqrtpd 66 0f51 x x16
sqrtss f3 0f51 x x4
sqrtsd f2 0f51 x x8
cmpps - 0fc2 x x16 i
cmppd 66 0fc2 x x16 i
cmpss f3 0fc2 x x4 i
cmpsd f2 0fc2 x x8 i
comiss - 0f2f x x4
comisd 66 0f2f x x8
ucomiss - 0f2e x x4
ucomisd 66 0f2e x x8
cvtsi2ss f3 0f2a x g4
cvtsi2ss f3w 0f2a x g8
cvtsi2sd f2 0f2a x g4
cvtsi2sd f2w 0f2a x g8
cvtss2si f3 0f2d g x4
cvtss2si f3w 0f2d g x4
cvtsd2si f2 0f2d g x8
cvtsd2si f2w 0f2d g x8
cvttss2si f3 0f2c g x4
cvttss2si f3w 0f2c g x4
cvttsd2si f2 0f2c g x8
cvttsd2si f2w 0f2c g x8
cvtss2sd f3 0f5a x x4
cvtsd2ss f2 0f5a x x8
cvtps2pd - 0f5a x x8
cvtpd2ps 66 0f5a x x16
cvtdq2ps - 0f5b x x16
cvtps2dq 66 0f5b x x16
cvttps2dq f3 0f5b x x16
cvtdq2pd f3 0fe6 x x8
cvtpd2dq f2 0fe6 x x16
cvttpd2dq 66 0fe6 x x16
cvtpi2ps - 0f2a x m8
cvtpi2pd 66 0f2a x m8
cvtps2pi - 0f2d m x8
cvttps2pi - 0f2c m x8
cvtpd2pi 66 0f2d m x16
cvttpd2pi 66 0f2c m x16
ldmxcsr - 0fae 2 =g4
stmxcsr - 0fae 3 =g4
fxsave - 0fae 0 =g512
fxrstor - 0fae 1 =g512
`;

export const SSE_EXTENDED = `
addsubps f2 0fd0 x x16
addsubpd 66 0fd0 x x16
haddps f2 0f7c x x16
haddpd 66 0f7c x x16
hsubps f2 0f7d x x16
hsubpd 66 0f7d x x16
movddup f2 0f12 x x8
movsldup f3 0f12 x x16
movshdup f3 0f16 x x16
lddqu f2 0ff0 x =x16
pshufb * 0f3800 p p
phaddw * 0f3801 p p
phaddd * 0f3802 p p
phaddsw * 0f3803 p p
pmaddubsw * 0f3804 p p
phsubw * 0f3805 p p
phsubd * 0f3806 p p
phsubsw * 0f3807 p p
psignb * 0f3808 p p
psignw * 0f3809 p p
psignd * 0f380a p p
pmulhrsw * 0f380b p p
pabsb * 0f381c p p
pabsw * 0f381d p p
pabsd * 0f381e p p
palignr * 0f3a0f p p i
blendps 66 0f3a0c x x16 i
blendpd 66 0f3a0d x x16 i
pblendw 66 0f3a0e x x16 i
pblendvb 66 0f3810 x x16
blendvps 66 0f3814 x x16
blendvpd 66 0f3815 x x16
dpps 66 0f3a40 x x16 i
dppd 66 0f3a41 x x16 i
roundps 66 0f3a08 x x16 i
roundpd 66 0f3a09 x x16 i
roundss 66 0f3a0a x x4 i
roundsd 66 0f3a0b x x8 i
insertps 66 0f3a21 x x4 i
extractps 66 0f3a17 x g4 i
pextrb 66 0f3a14 x g1 i
pextrw 66 0f3a15 x g2 i
pextrd 66 0f3a16 x g4 i
pextrq 66w 0f3a16 x g8 i
pinsrb 66 0f3a20 x g1 i
pinsrd 66 0f3a22 x g4 i
pinsrq 66w 0f3a22 x g8 i
pminsb 66 0f3838 x x16
pminsd 66 0f3839 x x16
pminuw 66 0f383a x x16
pminud 66 0f383b x x16
pmaxsb 66 0f383c x x16
pmaxsd 66 0f383d x x16
pmaxuw 66 0f383e x x16
pmaxud 66 0f383f x x16
pmulld 66 0f3840 x x16
pmuldq 66 0f3828 x x16
pcmpeqq 66 0f3829 x x16
movntdqa 66 0f382a x =x16
packusdw 66 0f382b x x16
pmovsxbw 66 0f3820 x x8
pmovsxbd 66 0f3821 x x4
pmovsxbq 66 0f3822 x x2
pmovsxwd 66 0f3823 x x8
pmovsxwq 66 0f3824 x x4
pmovsxdq 66 0f3825 x x8
pmovzxbw 66 0f3830 x x8
pmovzxbd 66 0f3831 x x4
pmovzxbq 66 0f3832 x x2
pmovzxwd 66 0f3833 x x8
pmovzxwq 66 0f3834 x x4
pmovzxdq 66 0f3835 x x8
ptest 66 0f3817 x x16
mpsadbw 66 0f3a42 x x16 i
phminposuw 66 0f3841 x x16
pcmpgtq 66 0f3837 x x16
pcmpestrm 66 0f3a60 x x16 i
pcmpestri 66 0f3a61 x x16 i
pcmpistrm 66 0f3a62 x x16 i
pcmpistri 66 0f3a63 x x16 i
pcmpestri 66w 0f3a61 x x16 i
crc32 f2 0f38f0 g g1
crc32 f2 0f38f1 g g4
crc32 f2w 0f38f1 g g8
`;

export const SSE_APPROXIMATE = `
rcpps - 0f53 x x16
rcpss f3 0f53 x x4
rsqrtps - 0f52 x x16
rsqrtss f3 0f52 x x4
`;

/** Forms of a table; `*` rows give two. */
export function parseForms(text: string): Form[] {
  return text
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [name, prefix, opcode, reg, rm, imm] = line.split(/\s+/) as [
        string,
        string,
        string,
        string,
        string,
        string?,
      ];
      const variants =
        prefix === '*'
          ? [
              { prefix: '-', reg: reg.replace('p', 'm'), rm: rm === 'p' ? 'm8' : rm.replace('p', 'm') },
              { prefix: '66', reg: reg.replace('p', 'x'), rm: rm === 'p' ? 'x16' : rm.replace('p', 'x') },
            ]
          : [{ prefix, reg, rm }];
      return variants.map((v) => {
        const memoryOnly = v.rm.startsWith('=');
        const place = memoryOnly ? v.rm.slice(1) : v.rm;
        return {
          name,
          prefix: v.prefix.replace('w', '').replace('-', ''),
          wide: v.prefix.includes('w'),
          opcode: (opcode.match(/../g) ?? []).map((h) => Number.parseInt(h, 16)),
          reg: v.reg,
          rmClass: place === 'none' ? 'none' : place[0],
          memory: place === 'none' ? 0 : Number(place.slice(1)),
          memoryOnly,
          immediate: imm === 'i',
        };
      });
    });
}

/** One line that names a form, e.g. `paddb 66 x x16`. */
export const formName = (f: Form): string =>
  `${f.name} ${f.prefix}${f.wide ? 'w' : ''} ${f.reg} ${f.memoryOnly ? '=' : ''}${f.rmClass}${f.memory}`;

const registerOf = (random: Random, kind: string): number =>
  kind === 'm'
    ? random.below(8)
    : kind === 'g'
      ? random.pick([0, 1, 2, 3, 5, 8, 9, 10, 13, 15])
      : random.below(16);

/** Machine code of a random instance; memory operands are [rsi+displacement]. */
function encode(form: Form, random: Random, memory: boolean, displacement: number): Uint8Array {
  const digit = form.reg >= '0' && form.reg <= '9' ? Number(form.reg) : undefined;
  const reg = digit ?? registerOf(random, form.reg);
  const rm = memory ? 6 : registerOf(random, form.rmClass);
  const bytes: number[] = form.prefix === '' ? [] : [Number.parseInt(form.prefix, 16)];
  const rex = 0x40 | (form.wide ? 8 : 0) | (reg >= 8 ? 4 : 0) | (rm >= 8 ? 1 : 0);
  if (rex !== 0x40) bytes.push(rex);
  bytes.push(...form.opcode);
  if (form.rmClass !== 'none') {
    bytes.push((memory ? 0x80 : 0xc0) | ((reg & 7) << 3) | (rm & 7));
    if (memory)
      bytes.push(
        displacement & 0xff,
        (displacement >> 8) & 0xff,
        (displacement >> 16) & 0xff,
        (displacement >> 24) & 0xff,
      );
  }
  if (form.immediate) bytes.push(random.below(3) === 0 ? random.below(256) : random.below(20));
  return Uint8Array.from(bytes);
}

export function kindOf(form: Form): ValueKind {
  if (/^cvtt?(si|dq|pi)/.test(form.name)) return 'int';
  if (/^cvtt?(ps|ss)/.test(form.name)) return 'f32';
  if (/^cvtt?(pd|sd)/.test(form.name)) return 'f64';
  if (/(ps|ss)$/.test(form.name)) return 'f32';
  return /(pd|sd)$/.test(form.name) && !/^mov/.test(form.name) ? 'f64' : 'int';
}

/** A state to load for fxrstor. */
function imagePatches(random: Random, address: number): Case['patches'] {
  const reserved = random.below(8) === 0 ? 0x10000 << random.below(16) : 0;
  const image = vectorState(random, 'int', (mxcsrValue(random) | reserved) >>> 0);
  x87State(random, image, { empties: true, pending: true });
  // bit 17 exists on some processors
  image[26] &= ~2;
  return Array.from({ length: 26 }, (_, i) => ({
    offset: address - DATA + 16 * i,
    bytes: image.slice(16 * i, 16 * i + 16),
  }));
}

/** A random case of the form. */
export function makeCase(form: Form, random: Random): Case {
  const kind = kindOf(form);
  const memory = form.memoryOnly || (form.memory > 0 && random.below(2) === 0);
  const displacement = random.pick([0, 8, -16, 128]);
  const address = form.memory === 512 ? DATA + 0x400 + 16 * random.below(8) : operandAddress(random);
  const fx = vectorState(random, kind, mxcsrValue(random));
  const mmx = form.reg === 'm' || form.rmClass === 'm' || form.name === 'fxsave' || form.name === 'emms';
  if (mmx) x87State(random, fx, { empties: true, pending: random.below(8) === 0 });
  const code = encode(form, random, memory, displacement);
  const gpr = generalRegisters(random, memory ? address - displacement : address);
  const operand =
    form.name === 'ldmxcsr'
      ? BigInt(mxcsrValue(random) | (random.below(4) === 0 ? random.next() : 0))
      : vectorValue(random, kind);
  const patches = form.name === 'fxrstor' ? imagePatches(random, address) : patchAt(address, operand);
  return { code, gpr, rflags: random.bits(12), fx, patches };
}
