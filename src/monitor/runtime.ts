// Programs of container runtimes: what runs in a container's namespaces before its entrypoint does, and when something
// is executed in it from outside.

const programs =
  /^(docker-)?(runc|containerd-shim(-[a-z0-9-]+)?|init)$|^(crun|youki|conmon|conmonrs|catatonit|podman-init|exe)$|^runc:\[\d:[A-Z]+\]$|^memfd:|^(\d+)$/;

/** By the path of the program; '' and `<NA>` are what sources say of a process that is being made. */
export function isRuntime(exe: string): boolean {
  if (exe === '' || exe === '<NA>') return true;
  if (/^\/proc\/(self|\d+)\/exe$/.test(exe) || /^\/dev\/fd\/\d+$/.test(exe) || exe.startsWith('/memfd:'))
    return true;
  return programs.test(exe.slice(exe.lastIndexOf('/') + 1));
}
