// table: sequences of operations that the interpreter has as one case (fused.ts), by the names of cases.ts: what programs
// (shells, Perl, Python) execute most, found by merging the most frequent pair again and again.
export const SEQUENCES: readonly string[] = `
add32 flags2
add64 add64
add64 add64 and64 flags1
add64 align loadat128
add64 align storeat128 add64 align storeat128 add64 align storeat128
add64 copy64
add64 copy64 flags2
add64 copy64 loadat64
add64 copy64 loadat64 add64 copy64 loadat64
add64 copy64 loadat64 add64 loadat64 canonical add64 ret
add64 flags2
add64 flags2 eq64 fork
add64 flags2 ltu64 fork
add64 flags2 rotl64 bit32 bit32 xor1 setf setf
add64 load8
add64 loadat64
add64 loadat64 add64
add64 loadat64 canonical add64 ret
add64 store64
add64 store8
add64 storeat32
add64 storeat64
add64 storeat64 sub64 call
add64 zext64:32
add64 zext64:32 copy64 shr32 flags2
add64 zext64:32 shl64 add64 load64 loadat64 flags2 eq64 fork
add64 zext64:32 store32
add64 zext64:32 storeat32
align load128
align store128
and32 copy64 flags1
and32 flags1
and32 flags1 eqz32 fork
and32 flags1 lez32 fork
and32 flags1 nez32 fork
and32 flags1 shl64 add64 load32
and64 flags1
and64 flags1 eqz64 fork
and64 flags1 lez64 fork
and64 flags1 ltz64 fork
and64 flags1 nez64 fork
and8 flags1
and8 flags1 eqz8 fork
and8 flags1 gez8 fork
and8 flags1 ltz8 fork
and8 flags1 nez8 fork
and8 shl64 copy64 keepflags
and8 shl64 keepflags
canonical add64 ret
canonical storeat64 sub64 callto
cond14 fork
copy64 add32 flags2
copy64 add32 flags2 sext64:32
copy64 add64
copy64 add64 copy64 flags2
copy64 add64 copy64 flags2 loadat64
copy64 add64 flags2
copy64 add64 flags2 flags2 eq64 fork
copy64 add64 flags2 flags2 ne64 fork
copy64 add64 flags2 loadat64
copy64 add64 flags2 loadat64 canonical add64 ret
copy64 and64 flags1
copy64 and64 flags1 eqz64 fork
copy64 canonical storeat64 sub64 callto
copy64 copy64
copy64 copy64 add32 flags2
copy64 copy64 add64 flags2
copy64 copy64 copy64
copy64 copy64 load64
copy64 copy64 storeat64 sub64 call
copy64 copy64 sub64 flags2
copy64 copy64 xor32 flags1
copy64 flags1
copy64 flags2
copy64 flags2 add32 flags2
copy64 flags2 add64 flags2
copy64 flags2 eq64 fork
copy64 flags2 ltu64 fork
copy64 flags2 ne64 fork
copy64 goto
copy64 load64
copy64 load64 add64 copy64 loadat64 add64 copy64 loadat64
copy64 load64 add64 loadat64 canonical add64 ret
copy64 load8
copy64 loadat16
copy64 loadat64
copy64 loadat64 add64 copy64 loadat64 add64 copy64 loadat64
copy64 loadat64 canonical storeat64 sub64 callto
copy64 loadat64 loadat64
copy64 loadat8
copy64 or32 flags1 zext32:8 shl64 add64 load64 jump
copy64 shl64
copy64 shl64 add64
copy64 shl64 flags2
copy64 shr64 flags2 and32 flags1
copy64 store64
copy64 storeat64
copy64 storeat64 sub64 call
copy64 sub32 flags2
copy64 sub64 flags2
copy64 sub64 flags2 leu64 fork
copy64 sub64 flags2 ltu64 fork
copy64 sub64 flags2 ltz64 fork
copy64 sub64 flags2 storeat64
copy64 xor32 flags1
copy64 xor64 flags1
copy64 zext64:32
copy64 zext64:32 copy64
copy64 zext64:32 shr64 flags2 and32 flags1
eq64 fork
eq8 fork
eqz32 fork
eqz64 fork
eqz8 fork
flags2 copy64
flags2 eq32 fork
flags2 eq64 fork
flags2 eq8 fork
flags2 les32 fork
flags2 les64 fork
flags2 leu32 fork
flags2 leu64 fork
flags2 leu8 fork
flags2 lts32 fork
flags2 lts64 fork
flags2 ltu32 fork
flags2 ltu64 fork
flags2 ltu8 fork
flags2 ne32 fork
flags2 ne64 fork
flags2 ne8 fork
gez64 fork
gez8 fork
insert64.8:64,8 flags1
insert64:64,8 flags1
insert64:64,8 flags2
les32 fork
les64 fork
leu64 fork
lez32 fork
load16 copy64
load16 copy64 copy64
load16 copy64 copy64 copy64
load16 copy64 copy64 zext64:32 copy64 shr16 insert64:64,16 flags2
load32 and32 flags1 eqz32 fork
load32 and32 flags1 nez32 fork
load32 flags2 eq32 fork
load32 flags2 les32 fork
load32 sext64:32
load64 add64
load64 and64 flags1 eqz64 fork
load64 canonical add64 ret
load64 copy64
load64 copy64 loadat64
load64 flags2 eq64 fork
load64 flags2 ne64 fork
load64 jump
load64 load64
load64 load64 flags2 ne64 fork
load64 loadat64
load64 loadat64 loadat64
load64 storeat64 and64 flags1 eqz64 fork
load8 and8 flags1 eqz8 fork
load8 and8 flags1 nez8 fork
load8 flags2 eq8 fork
load8 flags2 ne8 fork
loadat128 loadat128
loadat16 copy64
loadat32 and32 flags1
loadat32 and32 flags1 eqz32 fork
loadat32 and32 flags1 nez32 fork
loadat32 copy64
loadat32 flags2 lts32 fork
loadat32 flags2 ne32 fork
loadat32 loadat32
loadat32 loadat64
loadat32 sext64:32
loadat32 zext64:32 and32 flags1
loadat64 add64
loadat64 add64 copy64 loadat64 add64 copy64 loadat64
loadat64 add64 flags2
loadat64 and32 flags1
loadat64 and64 flags1 eqz64 fork
loadat64 and64 flags1 nez64 fork
loadat64 and8 flags1 eqz8 fork
loadat64 copy64
loadat64 copy64 add64 flags2
loadat64 copy64 copy64
loadat64 copy64 loadat64
loadat64 copy64 loadat64 sub64 flags2 ne64 fork
loadat64 copy64 sub64 flags2
loadat64 flags2
loadat64 flags2 eq64 fork
loadat64 flags2 leu64 fork
loadat64 flags2 ne64 fork
loadat64 goto
loadat64 load64
loadat64 loadat32
loadat64 loadat64
loadat64 loadat64 and32 flags1
loadat64 loadat64 and64 flags1
loadat64 loadat64 and64 flags1 eqz64 fork
loadat64 loadat64 flags2 eq64 fork
loadat64 loadat64 flags2 ne64 fork
loadat64 loadat64 loadat8 and8 flags1 eqz8 fork
loadat64 loadat8 and8 flags1 eqz8 fork
loadat64 loadat8 and8 flags1 nez8 fork
loadat64 store64
loadat64 store64 load32
loadat64 storeat32
loadat64 storeat64
loadat64 storeat64 xor32 flags1
loadat64 update32 add32 store32 flags2
loadat64 update64 sub64 store64 flags2 eq64 fork
loadat64 xor32 flags1
loadat8 and8 flags1 eqz8 fork
loadat8 and8 flags1 nez8 fork
loadat8 copy64
loadat8 copy64 and8 shl64 keepflags
loadat8 flags2
loadat8 flags2 eq8 fork
loadat8 flags2 ne8 fork
loadat8 or8 insert64:64,8 flags1
loadat8 or8 insert64:64,8 flags1 zext32:16
loadat8 or8 insert64:64,8 flags1 zext32:16 add64 flags2
loadat8 sub8 flags2
lts64 fork
ltu64 fork
ltz32 fork
ltz64 fork
ltz8 fork
mul64 flags2
ne32 fork
ne64 fork
ne8 fork
neg16 insert64:64,16 flags2 copy64 ltu16 sub8 sub8 insert64:64,8 flags
neg64 flags2
nez32 fork
nez64 fork
nez8 fork
not32 sext64:32 shl64 add64 load64
or32 flags1
or32 flags1 copy64 zext32:8 shl64 add64 load64 jump
or32 flags1 zext32:8 shl64 add64 load64 jump
or64 flags1
or64 flags1 store64
or64 flags1 storeat64
or8 insert64:64,8 flags1
rotl64 bit32 bit32 xor1 setf setf
rotl64 bit32 bit32 xor1 setf setf xor64 flags1
rotl64 copy64 bit32 bit32 xor1 setf setf
sar64 flags2
select64:1,64,64 setf
sext64:32 copy64 add64 flags2
sext64:32 shl64 add64
sext64:32 shl64 add64 load64
shl32 flags2
shl64 add64
shl64 add64 copy64
shl64 add64 load16
shl64 add64 load32
shl64 add64 load32 sext64:32 copy64 add64 flags2 jump
shl64 add64 load64
shl64 add64 load64 and64 flags1 eqz64 fork
shl64 add64 load64 jump
shl64 add64 load64 storeat64
shl64 add64 load8 and8 flags1 nez8 fork
shl64 add64 loadat32
shl64 add64 loadat32 flags2 lts32 fork
shl64 add64 loadat64
shl64 add64 loadat64 and64 flags1 eqz64 fork
shl64 add64 store64
shl64 flags2
shr32 flags2
shr64 flags2
shr64 flags2 and32 flags1
shr64 flags2 and64 flags1
shr8 insert64:64,8 flags2
store64 load64
store64 store64
storeat128 storeat128
storeat32 flags2
storeat32 goto
storeat64 add64
storeat64 add64 flags2
storeat64 and64 flags1 eqz64 fork
storeat64 copy64
storeat64 goto
storeat64 load64
storeat64 loadat64
storeat64 storeat32
storeat64 storeat64
storeat64 storeat64 sub64 call
storeat64 sub64
storeat64 sub64 call
storeat64 sub64 copy64
storeat64 sub64 copy64 copy64
storeat64 sub64 copy64 copy64 sub64 flags2
storeat64 sub64 copy64 storeat64 sub64
storeat64 sub64 copy64 storeat64 sub64 copy64
storeat64 sub64 copy64 storeat64 sub64 copy64 copy64 sub64 flags2
storeat64 sub64 copy64 storeat64 sub64 copy64 sub64 flags2
storeat64 sub64 copy64 storeat64 sub64 storeat64 sub64
storeat64 sub64 copy64 storeat64 sub64 storeat64 sub64 copy64
storeat64 sub64 copy64 sub64 flags2
storeat64 sub64 storeat64 sub64
storeat64 sub64 storeat64 sub64 copy64
storeat64 sub64 storeat64 sub64 copy64 copy64 sub64 flags2
storeat64 sub64 storeat64 sub64 copy64 sub64 flags2
storeat64 sub64 storeat64 sub64 storeat64 sub64 storeat64 sub64
storeat64 sub64 zext64:32
sub32 flags
sub32 flags2
sub64 copy64 flags2
sub64 flags2
sub64 flags2 flags2 ltu64 fork
sub8 flags2
update64 add64 store64 flags2
update64 add64 store64 flags2 storeat64
update64 sub64 store64 flags2
update64 sub64 store64 flags2 eq64 fork
update64 sub64 store64 flags2 ne64 fork
updateat32 add32 storeat32 flags2
updateat64 add64 storeat64 flags2
vec128.38 vec32.73:128
xor128 xor128
xor32 flags1
xor32 flags1 copy64 add64 copy64 flags2 loadat64
xor32 flags1 goto
xor32 flags1 load64 canonical add64 ret
xor32 flags1 xor32 flags1
xor64 flags1
zext128:64 vec128.61
zext64:32 and32 flags1
zext64:32 copy64
zext64:32 copy64 shr16 insert64:64,16 flags2
zext64:32 copy64 shr8 insert64:64,8 flags2
zext64:32 goto
zext64:32 zext64:32
`
  .trim()
  .split('\n');
