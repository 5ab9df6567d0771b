/* Directories through the C library: reading while removing, walking, temporary files, real paths. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static int visits;
static int visit(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)path;
  (void)st;
  visits += 1 + type + at->level;
  return remove(path);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char top[] = "/tmp/treeXXXXXX";
  if (mkdtemp(top) == NULL || chdir(top) != 0) return 1;
  for (int i = 0; i < 300; i++) {
    char name[32];
    snprintf(name, sizeof name, "file-%03d", i);
    close(open(name, O_CREAT | O_WRONLY, 0644));
  }
  DIR *d = opendir(".");
  struct dirent *e;
  int removed = 0;
  while ((e = readdir(d)) != NULL) {
    if (e->d_type == DT_REG) removed += unlink(e->d_name) == 0;
  }
  rewinddir(d);
  int left = 0;
  while ((e = readdir(d)) != NULL) left++;
  closedir(d);
  printf("removed %d left %d\n", removed, left);

  mkdir("a", 0755);
  mkdir("a/b", 0755);
  mkdir("a/b/c", 0755);
  symlink("../b/c", "a/b/link");
  close(open("a/b/c/x", O_CREAT | O_WRONLY, 0600));
  struct dirent **list;
  int n = scandir("a/b", &list, NULL, alphasort);
  for (int i = 0; i < n; i++) printf("%s:%d ", list[i]->d_name, list[i]->d_type);
  printf("\n");
  glob_t found;
  glob("a/*/c/?", 0, NULL, &found);
  printf("glob %zu %s\n", found.gl_pathc, found.gl_pathv[0]);
  char real[PATH_MAX];
  printf("realpath %s\n", strcmp(realpath("a/b/link/../c/./x", real) + strlen(top), "/a/b/c/x") == 0 ? "ok" : real);
  char *none = realpath("a/none", real);
  printf("realpath %s\n", none == NULL ? strerrorname_np(errno) : none);
  char *const roots[] = {"a", NULL};
  FTS *fts = fts_open(roots, FTS_PHYSICAL, NULL);
  FTSENT *entry;
  int infos = 0;
  while ((entry = fts_read(fts)) != NULL) infos += entry->fts_info + entry->fts_level;
  fts_close(fts);
  printf("fts %d\n", infos);

  FILE *t = tmpfile();
  fprintf(t, "temporary");
  rewind(t);
  char text[32] = {0};
  size_t read_back = fread(text, 1, 32, t);
  printf("tmpfile %zu %s\n", read_back, text);
  fclose(t);
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd >= 0) {
    write(fd, "named later", 11);
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    printf("linkat %d\n", linkat(AT_FDCWD, proc, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    struct stat st;
    stat("named", &st);
    printf("size %d links %d\n", (int)st.st_size, (int)st.st_nlink);
    close(fd);
  }
  FILE *f = fopen("appended", "a+");
  fputs("one\n", f);
  fputs("two\n", f);
  rewind(f);
  char line[32];
  int lines = 0;
  while (fgets(line, sizeof line, f) != NULL) lines++;
  fclose(f);
  printf("lines %d\n", lines);
  printf("rename over %d\n", rename("appended", "named"));
  struct stat st;
  lstat("a/b/link", &st);
  printf("link %o %d\n", (unsigned)st.st_mode, (int)st.st_size);
  struct statvfs vfs;
  int r = statvfs(".", &vfs);
  printf("statvfs %d name %lu\n", r, vfs.f_namemax);
  printf("sparse %d\n", truncate("named", 1 << 20));
  stat("named", &st);
  printf("size %ld\n", (long)st.st_size);
  fd = open("named", O_RDWR);
  printf("hole %d data %ld\n", lseek(fd, 0, SEEK_HOLE) <= 4096, (long)lseek(fd, 0, SEEK_DATA));
  close(fd);
  chdir("/");
  r = nftw(top, visit, 8, FTW_DEPTH | FTW_PHYS);
  printf("nftw %d %d\n", r, visits);
  printf("gone %d\n", access(top, F_OK));
  return 0;
}
