// Output, floating point, memory, exit status.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void leave(void) { puts("left"); }
int main(int c, char **v) {
  atexit(leave);
  printf("%d %s\n", c, v[0][0] == '/' ? "absolute" : "relative");
  printf("%.17g %e %g %.3f %a\n", 3.14159, 1e-300 / 7, 1.0 / 3, 2.5, 0.1);
  long double l = 1.0L / 3;
  printf("%.20Lf\n", l);
  char *p = malloc(300000);
  memset(p, 'x', 299999);
  p[299999] = 0;
  p = realloc(p, 600000);
  printf("%zu\n", strlen(p));
  free(p);
  fprintf(stderr, "error stream\n");
  return 7;
}
