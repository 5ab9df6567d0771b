// table: sequences of operations that the interpreter has as one case (fused.ts), by the names of cases.ts: what programs
// (shells, Perl, Python) execute most, found by merging the most frequent pair again and again.
export const SEQUENCES: readonly string[] = `
add32 flags
add64 add64
add64 add64 load64
add64 add64 load8
add64 add64 store64
add64 copy64 flags
add64 copy64 shr64 flags
add64 flags
add64 flags eq64 fork
add64 goto
add64 load16
add64 load32
add64 load32 add64 load32
add64 load32 and32 flags
add64 load32 flags lts32 fork
add64 load32 sext64:32
add64 load64
add64 load64 add64
add64 load64 add64 load64
add64 load64 add64 load64 add64 load64 add64 load64
add64 load64 add64 load64 canonical add64 jump
add64 load64 add64 load64 copy64
add64 load64 add64 load64 flags eq64 fork
add64 load64 add64 load64 flags ne64 fork
add64 load64 add64 load8
add64 load64 add64 load8 and8 flags eqz8 fork
add64 load64 add64 load8 and8 flags nez8 fork
add64 load64 and64 flags eqz64 fork
add64 load64 and64 flags nez64 fork
add64 load64 and8 flags eqz8 fork
add64 load64 canonical add64 jump
add64 load64 copy64
add64 load64 flags eq64 fork
add64 load64 flags ne64 fork
add64 load8
add64 load8 add64 load8
add64 load8 add64 load8 add64 add64 load8
add64 load8 and8 flags eqz8 fork
add64 load8 and8 flags nez8 fork
add64 load8 sext64:8
add64 load8 sext64:8 and64 flags ltz64 fork
add64 store32
add64 store64
add64 store64 add64
add64 store64 add64 load64
add64 store64 add64 store64
add64 store64 and64 flags nez64 fork
add64 store64 copy64
add64 store64 sub64 store64 copy64 goto
add64 store64 xor32 flags
add64 store8
add64 zext64:32
add64 zext64:32 flags lts32 fork
align store128 add64
and32 copy64 flags
and32 flags
and32 flags eqz32 fork
and32 flags lez32 fork
and32 flags nez32 fork
and64 flags
and64 flags eqz64 fork
and64 flags gez64 fork
and64 flags lez64 fork
and64 flags ltz64 fork
and64 flags nez64 fork
and8 flags
and8 flags eqz8 fork
and8 flags ltz8 fork
and8 flags nez8 fork
and8 shl64 copy64 keepflags
and8 shl64 copy64 keepflags sub64 flags
and8 shl64 copy64 keepflags sub64 flags and64 flags
and8 shl64 keepflags
and8 shl64 keepflags zext64:32
bit32 bit32 xor1 setf setf
canonical add64 jump
canonical sub64 store64 copy64 jump
copy64 add32 flags
copy64 add64
copy64 add64 flags
copy64 add64 flags copy64 load64
copy64 add64 flags flags ne64 fork
copy64 add64 flags goto
copy64 add64 flags load64
copy64 add64 flags load64 canonical add64 jump
copy64 add64 load64
copy64 add64 load64 add64 flags
copy64 add64 load64 canonical sub64 store64 copy64 jump
copy64 add64 load64 sub64 flags
copy64 add64 load64 sub64 flags ne64 fork
copy64 add64 store64
copy64 and64 flags
copy64 and64 flags eqz64 fork
copy64 copy64
copy64 copy64 add64 flags
copy64 copy64 add64 load64
copy64 copy64 copy64
copy64 copy64 copy64 add64 store64
copy64 copy64 copy64 sub64 store64 copy64 goto
copy64 copy64 sub64 store64 copy64 goto
copy64 flags
copy64 flags add64 flags
copy64 flags ltu64 fork
copy64 goto
copy64 keepflags
copy64 load64
copy64 shl64
copy64 shl64 flags
copy64 shl64 flags add64 load64 flags eq64 fork
copy64 shr64 flags
copy64 sub32 flags
copy64 sub64 flags
copy64 sub64 store64 copy64 goto
copy64 zext64:32
copy64 zext64:32 copy64
eq32 fork
eq64 fork
eq8 fork
eqz32 fork
eqz64 fork
eqz8 fork
flags add64
flags add64 store32
flags add64 zext64:32
flags copy64
flags eq32 fork
flags eq64 fork
flags eq8 fork
flags les32 fork
flags les64 fork
flags leu32 fork
flags leu64 fork
flags lts32 fork
flags lts64 fork
flags ltu32 fork
flags ltu64 fork
flags ltu8
flags ltu8 fork
flags ne32 fork
flags ne64 fork
flags ne8 fork
gez64 fork
insert64:64,16 flags
insert64:64,8 flags
insert64:64,8 flags add64
insert64:64,8 flags add64 load8 or8 insert64:64,8 flags
insert64:64,8 flags add64 load8 or8 insert64:64,8 flags zext32:16
les32 fork
les64 fork
leu32 fork
leu64 fork
lez32 fork
lez64 fork
load16 copy64
load32 and32 flags nez32 fork
load64 add64
load64 add64 load64
load64 add64 load64 canonical add64 jump
load64 add64 store64
load64 and64 flags eqz64 fork
load64 canonical add64 jump
load64 copy64
load64 flags ltu64 fork
load64 flags ne64 fork
load64 goto
load64 jump
load64 load64 flags ne64 fork
load8 sext32:8
lts32 fork
lts64 fork
ltu16 sub8 sub8
ltu32 fork
ltu64 fork
ltz64 fork
ltz8 fork
ne32 fork
ne64 fork
ne8 fork
neg16 insert64:64,16
neg16 insert64:64,16 flags copy64
neg16 insert64:64,16 flags copy64 ltu16 sub8 sub8
nez32 fork
nez64 fork
nez8 fork
or32 flags
or32 flags zext32:8 shl64 add64 load64 goto
or32 flags zext32:8 shl64 add64 load64 jump
or64 flags
or8 insert64:64,8 flags
rotl64 bit32 bit32 xor1 setf setf
rotl64 bit32 bit32 xor1 setf setf xor64 flags
select64:1,64,64 setf
shl32 flags
shl64 add64
shl64 add64 add64 load64
shl64 add64 add64 load64 and64 flags eqz64 fork
shl64 add64 load16
shl64 add64 load64
shl64 add64 load64 and64 flags eqz64 fork
shl64 add64 load64 goto
shl64 add64 load64 jump
shl64 add64 store16
shl64 add64 store64
shl64 flags
shr16 insert64:64,16 flags
shr64 flags
shr64 flags and32 flags
shr8 insert64:64,8 flags
store128 add64
store32 flags
store64 copy64
store64 goto
sub32 flags
sub64 flags
sub64 store64
sub64 store64 copy64
sub64 store64 copy64 add64
sub64 store64 copy64 copy64
sub64 store64 copy64 copy64 copy64
sub64 store64 copy64 copy64 sub64 flags
sub64 store64 copy64 copy64 sub64 store64 copy64 copy64
sub64 store64 copy64 goto
sub64 store64 copy64 sub64 flags
sub64 store64 copy64 sub64 store64 copy64
sub64 store64 copy64 sub64 store64 copy64 copy64
sub64 store64 copy64 sub64 store64 copy64 copy64 copy64
sub64 store64 copy64 sub64 store64 copy64 sub64 flags
sub64 store64 copy64 zext64:32
sub8 flags
update32 add32 store32 flags
update64 add64 store64 flags
update64 sub64 store64
update64 sub64 store64 flags eq64 fork
xor128 xor128
xor32 flags
xor32 flags add64 load64
xor32 flags xor32 flags
xor64 flags
zext32:8 shl64 add64 load64 goto
zext32:8 shl64 add64 load64 jump
zext64:32 and32 flags
zext64:32 copy64
zext64:32 copy64 shr16 insert64:64,16 flags
zext64:32 zext64:32
`
  .trim()
  .split('\n');
