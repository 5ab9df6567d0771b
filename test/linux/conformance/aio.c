#include "cases.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
static long setup(unsigned n, aio_context_t *c) { return syscall(SYS_io_setup, n, c); }
static long submit(aio_context_t c, long n, struct iocb **b) { return syscall(SYS_io_submit, c, n, b); }
static long events(aio_context_t c, long min, long n, struct io_event *e, struct timespec *t) { return syscall(SYS_io_getevents, c, min, n, e, t); }
CASE(contexts) {
  aio_context_t c = 0, d = 5; T(setup(0, &c)); T(setup(8, &d)); T(setup(8, &c)); V(c != 0); T(setup(8, 0)); T(syscall(SYS_io_destroy, c)); T(syscall(SYS_io_destroy, c)); c = 0; T(setup(8, &c)); T(setup(1000000, (d = 0, &d)));
  V(((unsigned *)c)[4] == 0xa10a10a1); V(((unsigned *)c)[7]); struct io_event e; struct timespec t = {0, 1000000}, z = {0, 0}; T(events(c, 0, 1, &e, &z)); T(events(c, 1, 1, &e, &t)); T(events(c, 2, 1, &e, &t)); T(events(1, 0, 1, &e, &z));
  IN_CHILD(T(syscall(SYS_io_destroy, c)));
}
CASE(transfer) {
  aio_context_t c = 0; T(setup(8, &c)); int fd = OK(open("f", O_RDWR | O_CREAT, 0644)); char out[] = "asynchronous", in[16] = {0};
  struct iocb w = {.aio_data = 7, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (long)out, .aio_nbytes = 12, .aio_offset = 3}, r = {.aio_data = 8, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_buf = (long)in, .aio_nbytes = 15}, s = {.aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd};
  struct iocb *p[] = {&w}; struct io_event e[4]; T(submit(c, 1, p)); T(events(c, 1, 4, e, 0)); V(e[0].data); V(e[0].res); V(e[0].obj == (long)&w);
  p[0] = &r; T(submit(c, 1, p)); T(events(c, 1, 4, e, 0)); V(e[0].res); S(in + 3); p[0] = &s; T(submit(c, 1, p)); T(events(c, 1, 1, e, 0)); V(e[0].res);
  struct iovec v[2] = {{in, 2}, {in + 8, 3}}; r.aio_lio_opcode = IOCB_CMD_PREADV; r.aio_buf = (long)v; r.aio_nbytes = 2; r.aio_offset = 3; p[0] = &r; T(submit(c, 1, p)); T(events(c, 1, 1, e, 0)); V(e[0].res);
  int ev = eventfd(0, EFD_NONBLOCK); w.aio_flags = IOCB_FLAG_RESFD; w.aio_resfd = ev; p[0] = &w; T(submit(c, 1, p)); uint64_t n = 0; T(events(c, 1, 1, e, 0)); T(read(ev, &n, 8)); V(n);
  r.aio_fildes = 99; p[0] = &r; T(submit(c, 1, p)); struct iocb *two[] = {&w, &r}; T(submit(c, 2, two)); T(events(c, 1, 4, e, 0)); T(submit(c, -1, p)); T(submit(c, 0, p)); T(submit(1, 1, p)); p[0] = (void *)1; T(submit(c, 1, p)); r.aio_fildes = fd; r.aio_lio_opcode = 99; p[0] = &r; T(submit(c, 1, p));
  T(syscall(SYS_io_cancel, c, &w, e));
}
LIST(C(contexts), C(transfer))
