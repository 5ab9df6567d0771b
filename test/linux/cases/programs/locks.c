/* File locks between processes, and files that processes share through memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int lock(int fd, short type, int command, off_t start, off_t length) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, command, &l) == 0 ? 0 : -errno;
}

static void between(const char *path) {
  int p[2], q[2];
  pipe(p);
  pipe(q);
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  ftruncate(fd, 100);
  pid_t pid = fork();
  char byte;
  if (pid == 0) {
    printf("child write lock %d\n", lock(fd, F_WRLCK, F_SETLK, 0, 50));
    write(p[1], "x", 1);
    read(q[0], &byte, 1);
    usleep(2000);
    _exit(0); /* the lock goes with the process */
  }
  read(p[0], &byte, 1);
  printf("conflict %d\n", lock(fd, F_RDLCK, F_SETLK, 10, 10));
  printf("beyond %d\n", lock(fd, F_WRLCK, F_SETLK, 50, 0));
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 40, .l_len = 1};
  fcntl(fd, F_GETLK, &l);
  printf("holder is child %d type %d start %d length %d\n", l.l_pid == pid, l.l_type, (int)l.l_start, (int)l.l_len);
  write(q[1], "x", 1);
  printf("waited %d\n", lock(fd, F_WRLCK, F_SETLKW, 0, 100));
  int status;
  waitpid(pid, &status, 0);
  pid = fork();
  if (pid == 0) {
    printf("not inherited %d\n", lock(fd, F_WRLCK, F_SETLK, 0, 10));
    _exit(0);
  }
  waitpid(pid, &status, 0);
  close(open(path, O_RDONLY)); /* closing any descriptor gives the locks up */
  pid = fork();
  if (pid == 0) {
    printf("given up %d\n", lock(fd, F_WRLCK, F_SETLK, 0, 10));
    _exit(0);
  }
  waitpid(pid, &status, 0);
  close(fd);
}

static void deadlock(const char *path) {
  int p[2];
  pipe(p);
  int fd = open(path, O_RDWR);
  lock(fd, F_WRLCK, F_SETLK, 0, 1);
  pid_t pid = fork();
  if (pid == 0) {
    lock(fd, F_WRLCK, F_SETLK, 1, 1);
    write(p[1], "x", 1);
    int r = lock(fd, F_WRLCK, F_SETLKW, 0, 1);
    _exit(r == 0 ? 0 : r == -EDEADLK ? 2 : 3);
  }
  char byte;
  read(p[0], &byte, 1);
  usleep(5000);
  int r = lock(fd, F_WRLCK, F_SETLKW, 1, 1);
  printf("deadlock %s\n", r == 0 ? "none" : strerrorname_np(-r));
  lock(fd, F_UNLCK, F_SETLK, 0, 0);
  int status;
  waitpid(pid, &status, 0);
  printf("child %d\n", WEXITSTATUS(status));
  close(fd);
}

static void whole(const char *path) {
  int fd = open(path, O_RDWR), other = open(path, O_RDWR);
  printf("flock %d\n", flock(fd, LOCK_EX));
  printf("flock %d\n", flock(other, LOCK_EX | LOCK_NB));
  int p[2];
  pipe(p);
  pid_t pid = fork();
  if (pid == 0) {
    close(fd); /* the parent's descriptor keeps it */
    printf("still %d\n", flock(other, LOCK_SH | LOCK_NB));
    write(p[1], "x", 1);
    int r = flock(other, LOCK_SH);
    _exit(r == 0 ? 7 : 1);
  }
  char byte;
  read(p[0], &byte, 1);
  flock(fd, LOCK_UN);
  int status;
  waitpid(pid, &status, 0);
  printf("child %d\n", WEXITSTATUS(status));
  close(fd);
  close(other);
}

static void shared(const char *path) {
  int fd = open(path, O_RDWR | O_TRUNC);
  ftruncate(fd, 8192);
  char *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *b = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
  char *c = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  strcpy(a, "written by a store");
  printf("other mapping: %s\n", b);
  printf("private mapping: %s\n", c);
  strcpy(c, "private");
  printf("unchanged: %s\n", b);
  char text[64] = {0};
  pread(fd, text, 18, 0);
  printf("read sees: %s\n", text);
  strcpy(a + 100, "again");
  pread(fd, text, 6, 100);
  printf("read sees: %s\n", text);
  pwrite(fd, "WRITE", 5, 0);
  printf("mapping sees: %s\n", b);
  pid_t pid = fork();
  if (pid == 0) {
    strcpy(a + 4096, "from the child");
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  printf("parent sees: %s\n", b + 4096);
  munmap(a, 8192);
  munmap(b, 8192);
  pread(fd, text, 15, 4096);
  printf("file keeps: %s\n", text);
  close(fd);
  int m = shm_open("/effigy-test", O_RDWR | O_CREAT | O_EXCL, 0600);
  ftruncate(m, 4096);
  char *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
  close(m);
  pid = fork();
  if (pid == 0) {
    int again = shm_open("/effigy-test", O_RDWR, 0);
    char *t = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
    strcpy(t, "through /dev/shm");
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  printf("shm: %s\n", s);
  shm_unlink("/effigy-test");
  munmap(s, 4096);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char directory[] = "/tmp/locksXXXXXX", path[64];
  if (mkdtemp(directory) == NULL) return 1;
  snprintf(path, sizeof path, "%s/f", directory);
  between(path);
  deadlock(path);
  whole(path);
  shared(path);
  unlink(path);
  rmdir(directory);
  return 0;
}
