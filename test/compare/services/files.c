// What programs do to files: temporary names, atomic replacement, links, locks, attributes, access lists, unnamed
// files, directories, special files, and each way in which such calls fail. Then it sleeps.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define IGNORED(call) do { if ((call) < 0) errno = 0; } while (0)

static void replace(const char *path) {
  char name[] = "/data/.newXXXXXX";
  int fd = mkstemp(name);
  IGNORED(write(fd, "text\n", 5));
  IGNORED(fchmod(fd, 0640));
  IGNORED(fchown(fd, 7, 7));
  IGNORED(fsync(fd));
  close(fd);
  IGNORED(rename(name, path));
}

int main(void) {
  IGNORED(chdir("/link-to-data"));
  replace("/data/config");
  replace("/data/config");
  // Names go by what the directory was called when it was entered: a link to it, and what is above the link.
  IGNORED(mkdir("/data/deep", 0755));
  IGNORED(mkdir("/data/deep/er", 0755));
  IGNORED(symlink("/data/deep/er", "/near"));
  IGNORED(chdir("/near"));
  close(open("../beside", O_RDWR | O_CREAT, 0600));
  close(openat(AT_FDCWD, "../beside", O_RDONLY));
  IGNORED(mkdir("../made", 0755));
  close(open("own", O_RDWR | O_CREAT, 0600));
  int near = open("/near", O_RDONLY | O_DIRECTORY);
  IGNORED(chdir(".."));
  close(openat(AT_FDCWD, "beside", O_RDONLY));
  IGNORED(fchdir(near));
  close(openat(near, "../beside", O_RDONLY));
  IGNORED(unlink("../beside"));
  IGNORED(unlink("own"));
  close(near);
  IGNORED(chdir("/link-to-data"));
  char directory[] = "/tmp/work-XXXXXX";
  if (mkdtemp(directory) == 0) return 1;
  int at = open(directory, O_RDONLY | O_DIRECTORY);
  int fd = openat(at, "one", O_RDWR | O_CREAT | O_EXCL, 0600);
  struct iovec parts[] = { { "a", 1 }, { "bc", 2 } };
  IGNORED(writev(fd, parts, 2));
  IGNORED(pwrite(fd, "x", 1, 100));
  IGNORED(fallocate(fd, 0, 0, 4096));
  IGNORED(ftruncate(fd, 10));
  struct flock lock = { .l_type = F_WRLCK };
  IGNORED(fcntl(fd, F_SETLK, &lock));
  IGNORED(linkat(at, "one", at, "two", 0));
  IGNORED(symlinkat("two", at, "three"));
  IGNORED(renameat2(at, "two", at, "one", RENAME_EXCHANGE));
  IGNORED(unlinkat(at, "three", 0));
  IGNORED(mkdirat(at, "inner", 0700));
  IGNORED(unlinkat(at, "inner", AT_REMOVEDIR));
  IGNORED(mkfifo("/tmp/fifo", 0600));
  IGNORED(fsetxattr(fd, "user.note", "1", 1, 0));
  static const unsigned char list[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 4, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255 };
  IGNORED(fsetxattr(fd, "system.posix_acl_access", list, sizeof list, 0));
  IGNORED(utimensat(at, "one", 0, 0));
  int copy = open("/data/copy", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  IGNORED(sendfile(copy, fd, &(off_t){ 0 }, 10));
  IGNORED(copy_file_range(fd, &(off_t){ 0 }, copy, 0, 5, 0));
  int unnamed = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  IGNORED(write(unnamed, "x", 1));
  int memory = memfd_create("scratch", MFD_CLOEXEC);
  IGNORED(ftruncate(memory, 4096));
  IGNORED((long)mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, memory, 0));
  int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  IGNORED(inotify_add_watch(events, "/data", IN_CREATE));
  replace("config");
  char buffer[4096];
  IGNORED(read(events, buffer, sizeof buffer));
  // what fails
  IGNORED(open("/none/file", O_RDONLY));
  IGNORED(open("/data", O_WRONLY));
  IGNORED(open("/data/copy/below", O_RDONLY));
  IGNORED(open("/loop", O_RDONLY));
  IGNORED(open("/data/config", O_WRONLY | O_CREAT | O_EXCL, 0600));
  IGNORED(mkdir("/data", 0700));
  IGNORED(rmdir("/data"));
  IGNORED(unlink("/data"));
  IGNORED(rename("/data", "/data/below"));
  IGNORED(link("/data", "/other"));
  IGNORED(truncate("/none", 1));
  IGNORED(chmod("/none", 0600));
  IGNORED(chown("/none", 1, 1));
  IGNORED(chdir("/data/config"));
  IGNORED(execl("/data/config", "config", (char *)0));
  IGNORED(open("/proc/sys/kernel/hostname", O_WRONLY));
  IGNORED(open("/proc/self/mem", O_RDONLY));
  IGNORED(setxattr("/data/config", "trusted.x", "1", 1, 0));
  // as somebody else
  pid_t child = fork();
  if (child == 0) {
    IGNORED(setgid(7) | setuid(7));
    IGNORED(open("/data/secret", O_RDONLY));
    IGNORED(open("/data/config", O_RDWR));
    IGNORED(unlink("/data/copy"));
    IGNORED(chmod("/data/copy", 0777));
    IGNORED(kill(1, 0));
    IGNORED(setuid(0));
    abort();
  }
  IGNORED(waitpid(child, 0, 0));
  IGNORED(read(open("/proc/self/status", O_RDONLY), buffer, sizeof buffer));
  DIR *names = opendir("/data");
  while (readdir(names) != 0) continue;
  closedir(names);
  for (;;) pause();
}
