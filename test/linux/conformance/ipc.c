#include "cases.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

CASE(shm_basic) {
  int id = OK(shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600));
  struct shmid_ds ds;
  T(shmctl(id, IPC_STAT, &ds));
  V(ds.shm_segsz); V(ds.shm_nattch); V(ds.shm_perm.mode); V(ds.shm_atime != 0); V(ds.shm_cpid == getpid());
  char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
  V(a != (void *)-1 && b != (void *)-1 && a != b);
  strcpy(a, "shared"); S(b);
  T(shmctl(id, IPC_STAT, &ds)); V(ds.shm_nattch); V(ds.shm_lpid == getpid());
  IN_CHILD(strcpy(a, "by child"); shmctl(id, IPC_STAT, &ds); V(ds.shm_nattch); shmdt(a); shmctl(id, IPC_STAT, &ds); V(ds.shm_nattch));
  S(b);
  T(shmctl(id, IPC_RMID, NULL));
  T(shmctl(id, IPC_STAT, &ds)); V(ds.shm_perm.mode);
  T(shmdt(a)); T(shmdt(a)); T(shmdt(b + 4096)); T(shmdt(b));
  T(shmctl(id, IPC_STAT, &ds));
}
CASE(shm_keys) {
  int id = OK(shmget(4711, 100, IPC_CREAT | IPC_EXCL | 0640));
  T(shmget(4711, 100, IPC_CREAT | IPC_EXCL | 0640)); T(shmget(4711, 0, 0) == id); T(shmget(4711, 200, 0));
  T(shmget(4712, 100, 0)); T(shmget(4712, 0, IPC_CREAT | 0600)); T(shmget(4711, 50, IPC_CREAT | 0777) == id);
  IN_CHILD(become(1000); T(shmget(4711, 0, 0)); T(shmget(4711, 0, 0400)); T((long)shmat(id, 0, 0)); struct shmid_ds ds; T(shmctl(id, IPC_STAT, &ds)); T(shmctl(id, IPC_RMID, 0)); T(shmctl(id, SHM_LOCK, 0)));
  T(shmctl(id, IPC_RMID, 0)); T(shmget(4711, 0, 0)); T((long)shmat(id, 0, 0)); T(shmctl(id, 999, 0)); T(shmctl(-1, IPC_STAT, 0));
  T(shmget(IPC_PRIVATE, 4096, SHM_HUGETLB | 0600));
}
CASE(shm_place) {
  int id = OK(shmget(IPC_PRIVATE, 8192, 0600));
  char *a = shmat(id, NULL, 0);
  T((long)shmat(id, a, 0)); T((long)shmat(id, a + 1, 0)); T(shmat(id, a + 1, SHM_RND | SHM_REMAP) == a); T((long)shmat(id, 0, SHM_REMAP));
  a[0] = 'x'; T(munmap(a, 4096)); struct shmid_ds ds; T(shmctl(id, IPC_STAT, &ds)); V(ds.shm_nattch);
  T(shmdt(a)); T(shmctl(id, IPC_STAT, &ds)); V(ds.shm_nattch);
  a = shmat(id, NULL, 0); V(a[0]); V(a[5000]);
  struct shmid_ds set = ds; set.shm_perm.mode = 0644; set.shm_perm.uid = 7;
  T(shmctl(id, IPC_SET, &set)); T(shmctl(id, IPC_STAT, &ds)); V(ds.shm_perm.mode); V(ds.shm_perm.uid); V(ds.shm_perm.cuid);
  struct shm_info info; T(shmctl(0, SHM_INFO, (void *)&info)); V(info.used_ids); T(shmctl(id, IPC_RMID, 0));
  struct shminfo limits; T(shmctl(0, IPC_INFO, (void *)&limits)); V(limits.shmmni); V(limits.shmmin);
}
CASE(shm_readonly_fault) {
  int id = OK(shmget(IPC_PRIVATE, 4096, 0600));
  char *a = shmat(id, NULL, SHM_RDONLY);
  IN_CHILD(a[0] = 1);
  shmctl(id, IPC_RMID, 0);
}
CASE(sem_basic) {
  int id = OK(semget(IPC_PRIVATE, 3, 0600));
  unsigned short all[3] = {1, 2, 3};
  T(semctl(id, 0, SETALL, all)); T(semctl(id, 1, GETVAL)); T(semctl(id, 3, GETVAL)); T(semctl(id, 0, SETVAL, 5)); T(semctl(id, 0, SETVAL, 40000)); T(semctl(id, 0, SETVAL, -1));
  T(semctl(id, 2, GETPID) == getpid());
  struct sembuf down = {0, -5, IPC_NOWAIT}, more = {0, -1, IPC_NOWAIT}, zero = {0, 0, 0}, up = {0, 32767, 0}, far = {3, 1, 0};
  T(semop(id, &down, 1)); T(semop(id, &more, 1)); T(semop(id, &zero, 1)); T(semop(id, &up, 1)); T(semop(id, &up, 1)); T(semop(id, &far, 1)); T(semop(id, &up, 0)); T(semop(id, &up, 501));
  struct sembuf both[2] = {{1, -1, IPC_NOWAIT}, {2, -9, IPC_NOWAIT}};
  T(semop(id, both, 2)); T(semctl(id, 1, GETVAL));
  struct timespec t = {0, 1000000}, bad = {0, -1}; struct sembuf wait = {2, -9, 0};
  T(semtimedop(id, &wait, 1, &t)); T(semtimedop(id, &wait, 1, &bad));
  struct semid_ds ds; T(semctl(id, 0, IPC_STAT, &ds)); V(ds.sem_nsems); V(ds.sem_otime != 0);
  T(semctl(id, 0, GETALL, all)); V(all[0]); V(all[1]); V(all[2]);
  T(semctl(id, 0, IPC_RMID)); T(semop(id, &up, 1)); T(semctl(id, 0, 999));
  T(semget(IPC_PRIVATE, 0, 0600)); T(semget(IPC_PRIVATE, 40000, 0600)); T(semget(99, 1, 0));
}
CASE(sem_undo) {
  int id = OK(semget(IPC_PRIVATE, 2, 0600));
  T(semctl(id, 0, SETVAL, 3));
  IN_CHILD(struct sembuf o = {0, -2, SEM_UNDO}; T(semop(id, &o, 1)); T(semctl(id, 0, GETVAL)));
  T(semctl(id, 0, GETVAL));
  IN_CHILD(struct sembuf o = {0, -2, SEM_UNDO}; T(semop(id, &o, 1)); T(semctl(id, 0, SETVAL, 9)));
  T(semctl(id, 0, GETVAL));
  IN_CHILD(struct sembuf o = {1, 4, SEM_UNDO}; T(semop(id, &o, 1)); o.sem_op = -1; o.sem_flg = 0; T(semop(id, &o, 1)));
  T(semctl(id, 1, GETVAL));
  semctl(id, 0, IPC_RMID);
}
CASE(sem_wait) {
  int id = OK(semget(IPC_PRIVATE, 2, 0600));
  pid_t a = CHILD(struct sembuf o = {0, -2, 0}; T(semop(id, &o, 1)); o.sem_op = 5; T(semop(id, &o, 1)));
  nap(20); T(semctl(id, 0, GETNCNT)); T(semctl(id, 0, GETZCNT));
  struct sembuf up = {0, 1, 0}; T(semop(id, &up, 1)); T(semctl(id, 0, GETVAL)); T(semop(id, &up, 1));
  reap(a, "child"); T(semctl(id, 0, GETVAL));
  pid_t z = CHILD(struct sembuf o = {0, 0, 0}; T(semop(id, &o, 1)));
  nap(20); T(semctl(id, 0, GETZCNT)); T(semctl(id, 0, SETVAL, 0)); reap(z, "child");
  pid_t r = CHILD(struct sembuf o = {1, -1, 0}; T(semop(id, &o, 1)));
  nap(20); T(semctl(id, 0, IPC_RMID)); reap(r, "child");
}
static void nothing(int s) { (void)s; }
CASE(sem_interrupted) {
  int id = OK(semget(IPC_PRIVATE, 1, 0600));
  struct sigaction sa = {.sa_handler = nothing, .sa_flags = SA_RESTART}; sigaction(SIGUSR1, &sa, NULL);
  pid_t me = getpid(), k = CHILD(nap(20); kill(me, SIGUSR1));
  struct sembuf o = {0, -1, 0}; T(semop(id, &o, 1)); reap(k, "child"); T(semctl(id, 0, GETNCNT)); semctl(id, 0, IPC_RMID);
}
CASE(sem_permission) {
  int id = OK(semget(77, 1, IPC_CREAT | 0644));
  IN_CHILD(become(1000); struct sembuf o = {0, 1, 0}; T(semop(id, &o, 1)); o.sem_op = 0; T(semop(id, &o, 1)); T(semctl(id, 0, GETVAL)); T(semctl(id, 0, SETVAL, 1)); T(semctl(id, 0, IPC_RMID)); T(semget(77, 2, 0)); T(semget(77, 1, 0222)));
  semctl(id, 0, IPC_RMID);
}
struct text { long type; char text[64]; };
CASE(msg_basic) {
  int q = OK(msgget(IPC_PRIVATE, 0600));
  struct text m = {3, "three"}, r;
  T(msgsnd(q, &m, 6, 0)); m.type = 1; strcpy(m.text, "one"); T(msgsnd(q, &m, 4, 0)); m.type = 2; strcpy(m.text, "two"); T(msgsnd(q, &m, 4, 0));
  struct msqid_ds ds; T(msgctl(q, IPC_STAT, &ds)); V(ds.msg_qnum); V(ds.msg_qbytes); V(ds.msg_lspid == getpid());
  T(msgrcv(q, &r, 2, 0, 0)); T(msgrcv(q, &r, 2, 0, MSG_NOERROR)); V(r.type);
  T(msgrcv(q, &r, 64, -9, 0)); V(r.type); S(r.text); T(msgrcv(q, &r, 64, 7, IPC_NOWAIT)); T(msgrcv(q, &r, 64, 2, 0)); S(r.text);
  m.type = 0; T(msgsnd(q, &m, 4, 0)); m.type = 1; T(msgsnd(q, &m, 9000, 0)); T(msgsnd(q, &m, -1, 0)); T(msgrcv(q, &r, -1, 0, 0));
  char big[8200] = {0}; *(long *)big = 1; T(msgsnd(q, big, 8192, 0)); T(msgsnd(q, big, 8192, 0)); T(msgsnd(q, big, 1, IPC_NOWAIT)); T(msgsnd(q, big, 0, IPC_NOWAIT));
  T(msgrcv(q, big, 8192, 1, MSG_EXCEPT | IPC_NOWAIT)); T(msgctl(q, IPC_RMID, 0)); T(msgsnd(q, &m, 1, 0)); T(msgrcv(q, &r, 1, 0, 0)); T(msgget(88, 0));
}
CASE(msg_wait) {
  int q = OK(msgget(IPC_PRIVATE, 0600));
  struct text m = {5, "x"};
  /* who woke the child tells its own result first */
  pid_t c = CHILD(struct text r; long got; int e;
    got = msgrcv(q, &r, 64, 5, 0), e = errno, nap(10), errno = e; T(got);
    got = msgrcv(q, &r, 64, 6, 0), e = errno, nap(10), errno = e; T(got));
  nap(20); T(msgsnd(q, &m, 2, 0)); nap(20); T(msgctl(q, IPC_RMID, 0)); reap(c, "child");
}
static void list(const char *path, int from, int to) {
  char b[4096] = {0}, *line = b;
  int fd = open(path, O_RDONLY), n = 0;
  for (int k; (k = read(fd, b + n, sizeof b - 1 - n)) > 0;) n += k;
  for (; (line = strtok(line == b ? b : NULL, "\n")) != NULL;) { line[to < strlen(line) ? to : strlen(line)] = 0; S(line + from); if (line == b) line++; }
}
CASE(listed) {
  int s = shmget(5, 100, IPC_CREAT | 0644), m = semget(6, 3, IPC_CREAT | 0600), q = msgget(7, IPC_CREAT | 0622);
  msgsnd(q, &(struct text){1, "abc"}, 3, 0);
  list("/proc/sysvipc/shm", 22, 49); list("/proc/sysvipc/sem", 22, 63); list("/proc/sysvipc/msg", 22, 49);
  shmctl(s, IPC_RMID, 0); semctl(m, 0, IPC_RMID); msgctl(q, IPC_RMID, 0);
}
LIST(C(listed), C(shm_basic), C(shm_keys), C(shm_place), C(shm_readonly_fault), C(sem_basic), C(sem_undo), C(sem_wait), C(sem_interrupted), C(sem_permission), C(msg_basic), C(msg_wait))
