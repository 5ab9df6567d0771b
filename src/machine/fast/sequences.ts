// table: sequences of operations that the interpreter has as one case (fused.ts), by the names of cases.ts: what programs
// (shells, Perl, Python) execute most, found by merging the most frequent pair again and again.
export const SEQUENCES: readonly string[] = `
add32 flags
add64 add64
add64 add64 and64 flags
add64 align loadat128
add64 align storeat128 add64 align storeat128 add64 align storeat128
add64 and64 flags eqz64 fork
add64 copy64
add64 copy64 flags
add64 copy64 flags loadat64
add64 copy64 loadat64
add64 copy64 loadat64 add64 copy64 loadat64
add64 copy64 loadat64 add64 loadat64 canonical add64 jump
add64 flags
add64 flags add64 flags
add64 flags eq64 fork
add64 flags ltu64 fork
add64 flags rotl64 bit32 bit32 xor1 setf setf
add64 flags store64
add64 goto
add64 jump
add64 load8
add64 loadat128
add64 loadat64
add64 loadat64 add64 goto
add64 loadat64 canonical add64 jump
add64 loadat64 flags ne64 fork
add64 shl64 add64
add64 store64
add64 store8
add64 storeat32
add64 storeat64
add64 storeat64 sub64 goto
add64 zext64:32
add64 zext64:32 copy64 shr32 flags
add64 zext64:32 shl64 loadat64 loadat64 flags eq64 fork
add64 zext64:32 store32
add64 zext64:32 storeat32
align load128
align store128
and32 copy64 flags
and32 flags
and32 flags and32 flags
and32 flags eqz32 fork
and32 flags lez32 fork
and32 flags nez32 fork
and32 flags shl64 add64
and32 flags shl64 add64 load32 shl64 add64
and64 flags
and64 flags copy64
and64 flags eqz64 fork
and64 flags gez64 fork
and64 flags lez64 fork
and64 flags ltz64 fork
and64 flags nez64 fork
and8 flags
and8 flags eqz8 fork
and8 flags gez8 fork
and8 flags ltz8 fork
and8 flags nez8 fork
and8 shl64 copy64 keepflags
and8 shl64 keepflags
canonical add64 jump
canonical storeat64 sub64 jump
cond14 fork
cond4 fork
copy64 add32
copy64 add32 flags
copy64 add32 flags sext64:32
copy64 add64 copy64
copy64 add64 copy64 flags
copy64 add64 copy64 flags loadat64
copy64 add64 flags
copy64 add64 flags flags eq64 fork
copy64 add64 flags flags ne64 fork
copy64 add64 flags loadat64
copy64 add64 flags loadat64 canonical add64 jump
copy64 and64 flags
copy64 and64 flags eqz64 fork
copy64 canonical storeat64 sub64 jump
copy64 copy64
copy64 copy64 add64 flags
copy64 copy64 copy64
copy64 copy64 copy64 loadat64
copy64 copy64 load64
copy64 copy64 storeat64 sub64 goto
copy64 copy64 sub64 flags
copy64 copy64 xor32 flags
copy64 flags
copy64 flags add32 flags
copy64 flags add64 flags
copy64 flags eq64 fork
copy64 flags ltu64 fork
copy64 flags ne64 fork
copy64 goto
copy64 load64
copy64 load64 add64 copy64 loadat64 add64 copy64 loadat64
copy64 load64 add64 loadat64 canonical add64 jump
copy64 load8
copy64 loadat16
copy64 loadat64
copy64 loadat64 canonical storeat64 sub64 jump
copy64 loadat64 loadat64
copy64 loadat64 sub64 flags
copy64 loadat8
copy64 shl64
copy64 shl64 add64
copy64 shl64 flags
copy64 shr64 flags
copy64 shr64 flags and32 flags shl64 add64
copy64 storeat64
copy64 storeat64 storeat64 sub64 goto
copy64 storeat64 sub64 goto
copy64 sub32 flags
copy64 sub64 flags
copy64 sub64 flags leu64 fork
copy64 sub64 flags ltu64 fork
copy64 sub64 flags ltz64 fork
copy64 sub64 flags storeat64
copy64 xor32 flags
copy64 zext64:32
copy64 zext64:32 copy64
copy64 zext64:32 shr64 flags and32 flags
eq32 fork
eq64 exit
eq64 fork
eq8 fork
eqz32 fork
eqz64 fork
eqz8 fork
flags copy64
flags copy64 add64 flags
flags copy64 loadat64 add64 copy64 loadat64 add64 copy64 loadat64
flags eq32 fork
flags eq64 fork
flags eq8 fork
flags les32 fork
flags les64 fork
flags leu32 fork
flags leu64 fork
flags leu8 fork
flags loadat64
flags lts32 fork
flags lts64 fork
flags ltu32 fork
flags ltu64 fork
flags ltu8 fork
flags ne32 fork
flags ne64 fork
flags ne8 fork
flags storeat32
flags storeat64
getf select64:1,64,64 add64 sub64 ne64 fork
insert64:64,8 flags
les32 fork
les64 fork
leu64 fork
lez32 fork
load16 copy64
load16 copy64 copy64
load16 copy64 copy64 copy64 zext64:32 copy64 shr16 insert64:64,16 flags
load16 copy64 copy64 zext64:32 copy64 shr16 insert64:64,16 flags
load16 copy64 zext64:32 copy64 shr16 insert64:64,16 flags
load32 and32 flags eqz32 fork
load32 and32 flags nez32 fork
load32 flags eq32 fork
load32 flags les32 fork
load32 sext64:32
load32 sext64:32 copy64 add64 flags jump
load64 add64
load64 and64 flags eqz64 fork
load64 and64 flags nez64 fork
load64 canonical add64 jump
load64 copy64
load64 copy64 loadat64
load64 flags eq64 fork
load64 flags ne64 fork
load64 jump
load64 load64
load64 load64 flags ne64 fork
load64 loadat64
load64 loadat64 flags ne64 fork
load64 loadat64 loadat64
load64 store64
load64 storeat64
load64 storeat64 and64 flags eqz64 fork
load8 and8 flags eqz8 fork
load8 and8 flags nez8 fork
load8 flags eq8 fork
load8 flags ne8 fork
loadat128 loadat128
loadat16 add64
loadat16 copy64
loadat32 and32 flags
loadat32 and32 flags eqz32 fork
loadat32 and32 flags nez32 fork
loadat32 copy64
loadat32 flags lts32 fork
loadat32 flags ne32 fork
loadat32 loadat32
loadat32 loadat64
loadat32 sext64:32
loadat32 xor32 flags
loadat32 zext64:32 and32 flags
loadat32 zext64:32 and32 flags flags eq32 fork
loadat64 add64
loadat64 add64 copy64
loadat64 add64 copy64 loadat64 add64 copy64 loadat64
loadat64 and32 flags
loadat64 and64 flags eqz64 fork
loadat64 and64 flags lez64 fork
loadat64 and64 flags nez64 fork
loadat64 and8 flags eqz8 fork
loadat64 copy64
loadat64 copy64 add64 flags
loadat64 copy64 copy64
loadat64 copy64 loadat64
loadat64 copy64 loadat64 sub64 flags ne64 fork
loadat64 copy64 sub64 flags
loadat64 flags eq64 fork
loadat64 flags leu64 fork
loadat64 flags ne64 fork
loadat64 goto
loadat64 loadat32
loadat64 loadat64
loadat64 loadat64 and32 flags
loadat64 loadat64 and64 flags
loadat64 loadat64 and64 flags eqz64 fork
loadat64 loadat64 copy64
loadat64 loadat64 flags eq64 fork
loadat64 loadat64 flags ne64 fork
loadat64 loadat64 loadat8 and8 flags eqz8 fork
loadat64 loadat8 and8 flags eqz8 fork
loadat64 loadat8 and8 flags nez8 fork
loadat64 shl64 add64
loadat64 shl64 add64 store64
loadat64 store64
loadat64 store64 load32
loadat64 storeat32
loadat64 storeat64
loadat64 storeat64 storeat64
loadat64 storeat64 xor32 flags
loadat64 update32 add32 store32 flags
loadat64 update64 add64 store64 flags
loadat64 update64 sub64 store64 flags eq64 fork
loadat64 xor32 flags
loadat8 and8 flags eqz8 fork
loadat8 and8 flags nez8 fork
loadat8 copy64
loadat8 copy64 and8 shl64 keepflags
loadat8 copy64 copy64
loadat8 flags
loadat8 flags eq8 fork
loadat8 flags ne8 fork
loadat8 or8 insert64:64,8 flags
loadat8 or8 insert64:64,8 flags zext32:16
loadat8 or8 insert64:64,8 flags zext32:16 add64 flags
loadat8 or8 insert64:64,8 flags zext32:16 copy64
loadat8 sub8 flags
loadat8 sub8 flags gez8 fork
lts64 fork
ltz32 fork
ltz64 fork
ltz8 fork
mul64 flags
ne32 fork
ne64 fork
ne64 insert64:64,8
ne8 fork
neg16 insert64:64,16 flags copy64 ltu16 sub8 sub8 insert64:64,8 flags
neg64 flags
nez32 fork
nez64 fork
nez8 fork
or32 flags
or32 flags copy64 zext32:8 shl64 loadat64 jump
or32 flags zext32:8 shl64 loadat64 jump
or64 flags
or64 flags store64
or64 flags storeat64
or8 insert64.8:64,8
or8 insert64:64,8 flags
rotl64 bit32 bit32 xor1 setf setf
rotl64 bit32 bit32 xor1 setf setf xor64 flags
rotl64 copy64 bit32 bit32 xor1 setf setf
sar64 flags
select64:1,64,64 setf
sext64:32 shl64 add64
sext64:32 shl64 add64 load64
sext64:32 shl64 add64 load64 flags
shl32 flags
shl64 add64
shl64 add64 copy64
shl64 add64 load16
shl64 add64 load64
shl64 add64 loadat64 and64 flags eqz64 fork
shl64 add64 store64
shl64 flags
shl64 loadat64 and64 flags eqz64 fork
shl64 loadat64 jump
shl64 loadat8 and8 flags nez8 fork
shr32 flags
shr64 flags
shr64 flags and32 flags
shr64 flags and64 flags
shr8 insert64:64,8 flags
store64 store64
storeat128 storeat128
storeat32 flags
storeat32 flags copy64
storeat32 goto
storeat64 add64
storeat64 add64 flags
storeat64 and64 flags eqz64 fork
storeat64 copy64
storeat64 goto
storeat64 loadat64
storeat64 storeat32
storeat64 storeat64
storeat64 storeat64 storeat64 storeat64
storeat64 storeat64 sub64 goto
storeat64 sub64
storeat64 sub64 copy64
storeat64 sub64 copy64 copy64
storeat64 sub64 copy64 copy64 sub64 flags
storeat64 sub64 copy64 storeat64 sub64
storeat64 sub64 copy64 storeat64 sub64 copy64
storeat64 sub64 copy64 storeat64 sub64 copy64 copy64 sub64 flags
storeat64 sub64 copy64 storeat64 sub64 copy64 sub64 flags
storeat64 sub64 copy64 storeat64 sub64 storeat64 sub64
storeat64 sub64 copy64 storeat64 sub64 storeat64 sub64 copy64
storeat64 sub64 copy64 sub64 flags
storeat64 sub64 goto
storeat64 sub64 storeat64 sub64
storeat64 sub64 storeat64 sub64 copy64
storeat64 sub64 storeat64 sub64 copy64 copy64 sub64 flags
storeat64 sub64 storeat64 sub64 copy64 sub64 flags
storeat64 sub64 storeat64 sub64 storeat64 sub64 copy64 sub64 flags
storeat64 sub64 storeat64 sub64 storeat64 sub64 storeat64 sub64
storeat64 sub64 zext64:32
storeat64 xor32 flags
sub32 flags
sub64 copy64 flags
sub64 flags
sub64 flags flags ltu64 fork
sub8 flags
update64 add64 store64
update64 add64 store64 flags
update64 add64 store64 flags copy64
update64 add64 store64 flags storeat64
update64 sub64 store64
update64 sub64 store64 flags eq64 fork
update64 sub64 store64 flags ne64 fork
updateat32 add32
updateat32 sub32
updateat64 add64 storeat64
updateat64 add64 storeat64 flags
updateat64 and64 storeat64
vec128.38 vec32.73:128
xor128 xor128
xor32 flags
xor32 flags copy64 add64 copy64 flags loadat64
xor32 flags goto
xor32 flags load64 canonical add64 jump
xor32 flags xor32 flags
xor64 flags
xor64 flags copy64
xor64 flags rotl64 bit32 bit32 xor1 setf setf
xor64 flags rotl64 copy64 bit32 bit32 xor1 setf setf
zext128:64 or64 flags store64
zext128:64 vec128.61
zext32:8 shl64 loadat64 jump
zext64:32 and32 flags
zext64:32 copy64
zext64:32 copy64 shr16 insert64:64,16 flags
zext64:32 copy64 shr8 insert64:64,8 flags
zext64:32 goto
zext64:32 zext64:32
`
  .trim()
  .split('\n');
