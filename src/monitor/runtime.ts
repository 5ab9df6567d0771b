// Programs of container runtimes: what runs in a container's namespaces before its entrypoint does, and when something
// is executed in it from outside.

const programs =
  /^(docker-)?(runc|containerd-shim(-[a-z0-9-]+)?|init)$|^(crun|youki|conmon|conmonrs|catatonit|podman-init|exe)$|^runc:\[\d:[A-Z]+\]$|^memfd:|^(\d+)$/;

/** Whether the source does not know the program: libsinsp says `<NA>`. */
export const isUnnamed = (exe: string): boolean => exe === '' || exe === '<NA>' || exe === '<na>';

/** By the path of the program; one without a name is a runtime's where its argument is. */
export function isRuntime(exe: string, args: string): boolean {
  if (isUnnamed(exe)) return args === 'init';
  if (/^\/proc\/(self|\d+)\/exe$/.test(exe) || /^\/dev\/fd\/\d+$/.test(exe) || exe.startsWith('/memfd:'))
    return true;
  return programs.test(exe.slice(exe.lastIndexOf('/') + 1));
}
