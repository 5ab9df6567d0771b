// Every x86-64 system call up to Linux 6.12 (arch/x86/entry/syscalls/syscall_64.tbl): number, name, arguments with
// their types (ARG_TYPES). Rows of the families take number and arguments from here; what no family has is `missing`.
import type { SupportLevel, SyscallHandler, SyscallRow } from './syscall.ts';

const CATALOGUE = `
0 read fd:fd buf:buffer count:size
1 write fd:fd buf:buffer count:size
2 open pathname:path flags:flags mode:mode
3 close fd:fd
4 stat pathname:path statbuf:pointer
5 fstat fd:fd statbuf:pointer
6 lstat pathname:path statbuf:pointer
7 poll fds:pointer nfds:uint timeout:int
8 lseek fd:fd offset:offset whence:int
9 mmap addr:pointer length:size prot:flags flags:flags fd:fd offset:offset
10 mprotect addr:pointer len:size prot:flags
11 munmap addr:pointer length:size
12 brk addr:pointer
13 rt_sigaction signum:signal act:pointer oldact:pointer sigsetsize:size
14 rt_sigprocmask how:int set:pointer oldset:pointer sigsetsize:size
15 rt_sigreturn
16 ioctl fd:fd request:hex argp:pointer
17 pread64 fd:fd buf:buffer count:size offset:offset
18 pwrite64 fd:fd buf:buffer count:size offset:offset
19 readv fd:fd iov:iovec iovcnt:int
20 writev fd:fd iov:iovec iovcnt:int
21 access pathname:path mode:flags
22 pipe pipefd:pointer
23 select nfds:int readfds:pointer writefds:pointer exceptfds:pointer timeout:pointer
24 sched_yield
25 mremap old_address:pointer old_size:size new_size:size flags:flags new_address:pointer
26 msync addr:pointer length:size flags:flags
27 mincore addr:pointer length:size vec:pointer
28 madvise addr:pointer length:size advice:int
29 shmget key:int size:size shmflg:flags
30 shmat shmid:int shmaddr:pointer shmflg:flags
31 shmctl shmid:int cmd:int buf:pointer
32 dup oldfd:fd
33 dup2 oldfd:fd newfd:fd
34 pause
35 nanosleep req:timespec rem:pointer
36 getitimer which:int curr_value:pointer
37 alarm seconds:uint
38 setitimer which:int new_value:pointer old_value:pointer
39 getpid
40 sendfile out_fd:fd in_fd:fd offset:pointer count:size
41 socket domain:int type:flags protocol:int
42 connect sockfd:fd addr:sockaddr addrlen:uint
43 accept sockfd:fd addr:pointer addrlen:pointer
44 sendto sockfd:fd buf:buffer len:size flags:flags dest_addr:sockaddr addrlen:uint
45 recvfrom sockfd:fd buf:buffer len:size flags:flags src_addr:pointer addrlen:pointer
46 sendmsg sockfd:fd msg:pointer flags:flags
47 recvmsg sockfd:fd msg:pointer flags:flags
48 shutdown sockfd:fd how:int
49 bind sockfd:fd addr:sockaddr addrlen:uint
50 listen sockfd:fd backlog:int
51 getsockname sockfd:fd addr:pointer addrlen:pointer
52 getpeername sockfd:fd addr:pointer addrlen:pointer
53 socketpair domain:int type:flags protocol:int sv:pointer
54 setsockopt sockfd:fd level:int optname:int optval:pointer optlen:uint
55 getsockopt sockfd:fd level:int optname:int optval:pointer optlen:pointer
56 clone flags:flags stack:pointer parent_tid:pointer child_tid:pointer tls:pointer
57 fork
58 vfork
59 execve pathname:path argv:argv envp:pointer
60 exit status:int
61 wait4 pid:pid wstatus:pointer options:flags rusage:pointer
62 kill pid:pid sig:signal
63 uname buf:pointer
64 semget key:int nsems:int semflg:flags
65 semop semid:int sops:pointer nsops:size
66 semctl semid:int semnum:int cmd:int arg:pointer
67 shmdt shmaddr:pointer
68 msgget key:int msgflg:flags
69 msgsnd msqid:int msgp:pointer msgsz:size msgflg:flags
70 msgrcv msqid:int msgp:pointer msgsz:size msgtyp:long msgflg:flags
71 msgctl msqid:int cmd:int buf:pointer
72 fcntl fd:fd cmd:int arg:hex
73 flock fd:fd operation:flags
74 fsync fd:fd
75 fdatasync fd:fd
76 truncate path:path length:offset
77 ftruncate fd:fd length:offset
78 getdents fd:fd dirp:pointer count:uint
79 getcwd buf:pointer size:size
80 chdir path:path
81 fchdir fd:fd
82 rename oldpath:path newpath:path
83 mkdir pathname:path mode:mode
84 rmdir pathname:path
85 creat pathname:path mode:mode
86 link oldpath:path newpath:path
87 unlink pathname:path
88 symlink target:string linkpath:path
89 readlink pathname:path buf:pointer bufsiz:size
90 chmod pathname:path mode:mode
91 fchmod fd:fd mode:mode
92 chown pathname:path owner:uid group:gid
93 fchown fd:fd owner:uid group:gid
94 lchown pathname:path owner:uid group:gid
95 umask mask:mode
96 gettimeofday tv:pointer tz:pointer
97 getrlimit resource:int rlim:pointer
98 getrusage who:int usage:pointer
99 sysinfo info:pointer
100 times buf:pointer
101 ptrace request:long pid:pid addr:pointer data:pointer
102 getuid
103 syslog type:int bufp:pointer len:int
104 getgid
105 setuid uid:uid
106 setgid gid:gid
107 geteuid
108 getegid
109 setpgid pid:pid pgid:pid
110 getppid
111 getpgrp
112 setsid
113 setreuid ruid:uid euid:uid
114 setregid rgid:gid egid:gid
115 getgroups size:int list:pointer
116 setgroups size:int list:pointer
117 setresuid ruid:uid euid:uid suid:uid
118 getresuid ruid:pointer euid:pointer suid:pointer
119 setresgid rgid:gid egid:gid sgid:gid
120 getresgid rgid:pointer egid:pointer sgid:pointer
121 getpgid pid:pid
122 setfsuid fsuid:uid
123 setfsgid fsgid:gid
124 getsid pid:pid
125 capget hdrp:pointer datap:pointer
126 capset hdrp:pointer datap:pointer
127 rt_sigpending set:pointer sigsetsize:size
128 rt_sigtimedwait set:pointer info:pointer timeout:timespec sigsetsize:size
129 rt_sigqueueinfo tgid:pid sig:signal info:pointer
130 rt_sigsuspend mask:pointer sigsetsize:size
131 sigaltstack ss:pointer old_ss:pointer
132 utime filename:path times:pointer
133 mknod pathname:path mode:mode dev:hex
134 uselib library:path
135 personality persona:hex
136 ustat dev:hex ubuf:pointer
137 statfs path:path buf:pointer
138 fstatfs fd:fd buf:pointer
139 sysfs option:int arg1:hex arg2:hex
140 getpriority which:int who:int
141 setpriority which:int who:int prio:int
142 sched_setparam pid:pid param:pointer
143 sched_getparam pid:pid param:pointer
144 sched_setscheduler pid:pid policy:int param:pointer
145 sched_getscheduler pid:pid
146 sched_get_priority_max policy:int
147 sched_get_priority_min policy:int
148 sched_rr_get_interval pid:pid tp:pointer
149 mlock addr:pointer len:size
150 munlock addr:pointer len:size
151 mlockall flags:flags
152 munlockall
153 vhangup
154 modify_ldt func:int ptr:pointer bytecount:size
155 pivot_root new_root:path put_old:path
156 _sysctl args:pointer
157 prctl option:int arg2:hex arg3:hex arg4:hex arg5:hex
158 arch_prctl code:hex addr:pointer
159 adjtimex buf:pointer
160 setrlimit resource:int rlim:pointer
161 chroot path:path
162 sync
163 acct filename:path
164 settimeofday tv:pointer tz:pointer
165 mount source:string target:path filesystemtype:string mountflags:flags data:pointer
166 umount2 target:path flags:flags
167 swapon path:path swapflags:flags
168 swapoff path:path
169 reboot magic:hex magic2:hex cmd:hex arg:pointer
170 sethostname name:buffer len:size
171 setdomainname name:buffer len:size
172 iopl level:int
173 ioperm from:size num:size turn_on:int
174 create_module name:string size:size
175 init_module module_image:pointer len:size param_values:string
176 delete_module name:string flags:flags
177 get_kernel_syms table:pointer
178 query_module name:string which:int buf:pointer bufsize:size ret:pointer
179 quotactl cmd:hex special:path id:int addr:pointer
180 nfsservctl cmd:int argp:pointer resp:pointer
181 getpmsg
182 putpmsg
183 afs_syscall
184 tuxcall
185 security
186 gettid
187 readahead fd:fd offset:offset count:size
188 setxattr path:path name:string value:buffer size:size flags:flags
189 lsetxattr path:path name:string value:buffer size:size flags:flags
190 fsetxattr fd:fd name:string value:buffer size:size flags:flags
191 getxattr path:path name:string value:pointer size:size
192 lgetxattr path:path name:string value:pointer size:size
193 fgetxattr fd:fd name:string value:pointer size:size
194 listxattr path:path list:pointer size:size
195 llistxattr path:path list:pointer size:size
196 flistxattr fd:fd list:pointer size:size
197 removexattr path:path name:string
198 lremovexattr path:path name:string
199 fremovexattr fd:fd name:string
200 tkill tid:pid sig:signal
201 time tloc:pointer
202 futex uaddr:pointer futex_op:hex val:uint timeout:pointer uaddr2:pointer val3:uint
203 sched_setaffinity pid:pid cpusetsize:size mask:pointer
204 sched_getaffinity pid:pid cpusetsize:size mask:pointer
205 set_thread_area u_info:pointer
206 io_setup nr_events:uint ctx_idp:pointer
207 io_destroy ctx_id:hex
208 io_getevents ctx_id:hex min_nr:long nr:long events:pointer timeout:timespec
209 io_submit ctx_id:hex nr:long iocbpp:pointer
210 io_cancel ctx_id:hex iocb:pointer result:pointer
211 get_thread_area u_info:pointer
212 lookup_dcookie cookie:hex buffer:pointer len:size
213 epoll_create size:int
214 epoll_ctl_old
215 epoll_wait_old
216 remap_file_pages addr:pointer size:size prot:flags pgoff:size flags:flags
217 getdents64 fd:fd dirp:pointer count:uint
218 set_tid_address tidptr:pointer
219 restart_syscall
220 semtimedop semid:int sops:pointer nsops:size timeout:timespec
221 fadvise64 fd:fd offset:offset len:offset advice:int
222 timer_create clockid:clock sevp:pointer timerid:pointer
223 timer_settime timerid:int flags:flags new_value:pointer old_value:pointer
224 timer_gettime timerid:int curr_value:pointer
225 timer_getoverrun timerid:int
226 timer_delete timerid:int
227 clock_settime clockid:clock tp:timespec
228 clock_gettime clockid:clock tp:pointer
229 clock_getres clockid:clock res:pointer
230 clock_nanosleep clockid:clock flags:flags request:timespec remain:pointer
231 exit_group status:int
232 epoll_wait epfd:fd events:pointer maxevents:int timeout:int
233 epoll_ctl epfd:fd op:int fd:fd event:pointer
234 tgkill tgid:pid tid:pid sig:signal
235 utimes filename:path times:pointer
236 vserver
237 mbind addr:pointer len:size mode:int nodemask:pointer maxnode:size flags:flags
238 set_mempolicy mode:int nodemask:pointer maxnode:size
239 get_mempolicy mode:pointer nodemask:pointer maxnode:size addr:pointer flags:flags
240 mq_open name:string oflag:flags mode:mode attr:pointer
241 mq_unlink name:string
242 mq_timedsend mqdes:fd msg_ptr:buffer msg_len:size msg_prio:uint abs_timeout:timespec
243 mq_timedreceive mqdes:fd msg_ptr:pointer msg_len:size msg_prio:pointer abs_timeout:timespec
244 mq_notify mqdes:fd sevp:pointer
245 mq_getsetattr mqdes:fd newattr:pointer oldattr:pointer
246 kexec_load entry:pointer nr_segments:size segments:pointer flags:flags
247 waitid idtype:int id:pid infop:pointer options:flags rusage:pointer
248 add_key type:string description:string payload:buffer plen:size keyring:int
249 request_key type:string description:string callout_info:string dest_keyring:int
250 keyctl operation:int arg2:hex arg3:hex arg4:hex arg5:hex
251 ioprio_set which:int who:int ioprio:int
252 ioprio_get which:int who:int
253 inotify_init
254 inotify_add_watch fd:fd pathname:path mask:flags
255 inotify_rm_watch fd:fd wd:int
256 migrate_pages pid:pid maxnode:size old_nodes:pointer new_nodes:pointer
257 openat dirfd:dirfd pathname:path flags:flags mode:mode
258 mkdirat dirfd:dirfd pathname:path mode:mode
259 mknodat dirfd:dirfd pathname:path mode:mode dev:hex
260 fchownat dirfd:dirfd pathname:path owner:uid group:gid flags:flags
261 futimesat dirfd:dirfd pathname:path times:pointer
262 newfstatat dirfd:dirfd pathname:path statbuf:pointer flags:flags
263 unlinkat dirfd:dirfd pathname:path flags:flags
264 renameat olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path
265 linkat olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path flags:flags
266 symlinkat target:string newdirfd:dirfd linkpath:path
267 readlinkat dirfd:dirfd pathname:path buf:pointer bufsiz:size
268 fchmodat dirfd:dirfd pathname:path mode:mode
269 faccessat dirfd:dirfd pathname:path mode:flags
270 pselect6 nfds:int readfds:pointer writefds:pointer exceptfds:pointer timeout:timespec sigmask:pointer
271 ppoll fds:pointer nfds:uint tmo_p:timespec sigmask:pointer sigsetsize:size
272 unshare flags:flags
273 set_robust_list head:pointer len:size
274 get_robust_list pid:pid head_ptr:pointer len_ptr:pointer
275 splice fd_in:fd off_in:pointer fd_out:fd off_out:pointer len:size flags:flags
276 tee fd_in:fd fd_out:fd len:size flags:flags
277 sync_file_range fd:fd offset:offset nbytes:offset flags:flags
278 vmsplice fd:fd iov:iovec nr_segs:size flags:flags
279 move_pages pid:pid count:size pages:pointer nodes:pointer status:pointer flags:flags
280 utimensat dirfd:dirfd pathname:path times:pointer flags:flags
281 epoll_pwait epfd:fd events:pointer maxevents:int timeout:int sigmask:pointer sigsetsize:size
282 signalfd fd:fd mask:pointer sizemask:size
283 timerfd_create clockid:clock flags:flags
284 eventfd initval:uint
285 fallocate fd:fd mode:flags offset:offset len:offset
286 timerfd_settime fd:fd flags:flags new_value:pointer old_value:pointer
287 timerfd_gettime fd:fd curr_value:pointer
288 accept4 sockfd:fd addr:pointer addrlen:pointer flags:flags
289 signalfd4 fd:fd mask:pointer sizemask:size flags:flags
290 eventfd2 initval:uint flags:flags
291 epoll_create1 flags:flags
292 dup3 oldfd:fd newfd:fd flags:flags
293 pipe2 pipefd:pointer flags:flags
294 inotify_init1 flags:flags
295 preadv fd:fd iov:iovec iovcnt:int pos_l:size pos_h:size
296 pwritev fd:fd iov:iovec iovcnt:int pos_l:size pos_h:size
297 rt_tgsigqueueinfo tgid:pid tid:pid sig:signal info:pointer
298 perf_event_open attr:pointer pid:pid cpu:int group_fd:fd flags:flags
299 recvmmsg sockfd:fd msgvec:pointer vlen:uint flags:flags timeout:timespec
300 fanotify_init flags:flags event_f_flags:flags
301 fanotify_mark fanotify_fd:fd flags:flags mask:hex dirfd:dirfd pathname:path
302 prlimit64 pid:pid resource:int new_limit:pointer old_limit:pointer
303 name_to_handle_at dirfd:dirfd pathname:path handle:pointer mount_id:pointer flags:flags
304 open_by_handle_at mount_fd:fd handle:pointer flags:flags
305 clock_adjtime clockid:clock buf:pointer
306 syncfs fd:fd
307 sendmmsg sockfd:fd msgvec:pointer vlen:uint flags:flags
308 setns fd:fd nstype:flags
309 getcpu cpu:pointer node:pointer tcache:pointer
310 process_vm_readv pid:pid local_iov:iovec liovcnt:size remote_iov:pointer riovcnt:size flags:flags
311 process_vm_writev pid:pid local_iov:iovec liovcnt:size remote_iov:pointer riovcnt:size flags:flags
312 kcmp pid1:pid pid2:pid type:int idx1:size idx2:size
313 finit_module fd:fd param_values:string flags:flags
314 sched_setattr pid:pid attr:pointer flags:flags
315 sched_getattr pid:pid attr:pointer size:uint flags:flags
316 renameat2 olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path flags:flags
317 seccomp operation:uint flags:flags args:pointer
318 getrandom buf:pointer buflen:size flags:flags
319 memfd_create name:string flags:flags
320 kexec_file_load kernel_fd:fd initrd_fd:fd cmdline_len:size cmdline:string flags:flags
321 bpf cmd:int attr:pointer size:uint
322 execveat dirfd:dirfd pathname:path argv:argv envp:pointer flags:flags
323 userfaultfd flags:flags
324 membarrier cmd:int flags:flags cpu_id:int
325 mlock2 start:pointer len:size flags:flags
326 copy_file_range fd_in:fd off_in:pointer fd_out:fd off_out:pointer len:size flags:flags
327 preadv2 fd:fd iov:iovec iovcnt:int pos_l:size pos_h:size flags:flags
328 pwritev2 fd:fd iov:iovec iovcnt:int pos_l:size pos_h:size flags:flags
329 pkey_mprotect addr:pointer len:size prot:flags pkey:int
330 pkey_alloc flags:flags access_rights:hex
331 pkey_free pkey:int
332 statx dirfd:dirfd pathname:path flags:flags mask:hex statxbuf:pointer
333 io_pgetevents ctx_id:hex min_nr:long nr:long events:pointer timeout:timespec sigmask:pointer
334 rseq rseq:pointer rseq_len:uint flags:flags sig:hex
335 uretprobe
424 pidfd_send_signal pidfd:fd sig:signal info:pointer flags:flags
425 io_uring_setup entries:uint p:pointer
426 io_uring_enter fd:fd to_submit:uint min_complete:uint flags:flags sig:pointer sz:size
427 io_uring_register fd:fd opcode:uint arg:pointer nr_args:uint
428 open_tree dirfd:dirfd filename:path flags:flags
429 move_mount from_dirfd:dirfd from_pathname:path to_dirfd:dirfd to_pathname:path flags:flags
430 fsopen fs_name:string flags:flags
431 fsconfig fs_fd:fd cmd:uint key:string value:pointer aux:int
432 fsmount fs_fd:fd flags:flags ms_flags:flags
433 fspick dirfd:dirfd path:path flags:flags
434 pidfd_open pid:pid flags:flags
435 clone3 cl_args:pointer size:size
436 close_range first:uint last:uint flags:flags
437 openat2 dirfd:dirfd pathname:path how:pointer size:size
438 pidfd_getfd pidfd:fd targetfd:fd flags:flags
439 faccessat2 dirfd:dirfd pathname:path mode:flags flags:flags
440 process_madvise pidfd:fd iovec:iovec vlen:size advice:int flags:flags
441 epoll_pwait2 epfd:fd events:pointer maxevents:int timeout:timespec sigmask:pointer sigsetsize:size
442 mount_setattr dirfd:dirfd pathname:path flags:flags attr:pointer size:size
443 quotactl_fd fd:fd cmd:hex id:int addr:pointer
444 landlock_create_ruleset attr:pointer size:size flags:flags
445 landlock_add_rule ruleset_fd:fd rule_type:int rule_attr:pointer flags:flags
446 landlock_restrict_self ruleset_fd:fd flags:flags
447 memfd_secret flags:flags
448 process_mrelease pidfd:fd flags:flags
449 futex_waitv waiters:pointer nr_futexes:uint flags:flags timeout:timespec clockid:clock
450 set_mempolicy_home_node start:pointer len:size home_node:size flags:flags
451 cachestat fd:fd cstat_range:pointer cstat:pointer flags:flags
452 fchmodat2 dirfd:dirfd pathname:path mode:mode flags:flags
453 map_shadow_stack addr:pointer size:size flags:flags
454 futex_wake uaddr:pointer mask:hex nr:int flags:flags
455 futex_wait uaddr:pointer val:size mask:hex flags:flags timeout:timespec clockid:clock
456 futex_requeue waiters:pointer flags:flags nr_wake:int nr_requeue:int
457 statmount req:pointer buf:pointer bufsize:size flags:flags
458 listmount req:pointer mnt_ids:pointer nr_mnt_ids:size flags:flags
459 lsm_get_self_attr attr:uint ctx:pointer size:pointer flags:flags
460 lsm_set_self_attr attr:uint ctx:pointer size:uint flags:flags
461 lsm_list_modules ids:pointer size:pointer flags:flags
462 mseal addr:pointer len:size flags:flags
`;

export interface CatalogueEntry {
  readonly nr: number;
  readonly name: string;
  /** `name:type` each. */
  readonly args: readonly string[];
}

/** In order of number. */
export const catalogue: readonly CatalogueEntry[] = CATALOGUE.trim()
  .split('\n')
  .map((line) => {
    const [nr, name, ...args] = line.split(' ');
    return { nr: Number(nr), name, args };
  });

const byName = new Map(catalogue.map((entry) => [entry.name, entry]));

/** A family's row; number and arguments come from the catalogue. Level defaults to full. */
export function row(
  name: string,
  handler: SyscallHandler,
  level: SupportLevel = 'full',
  note = '',
): SyscallRow {
  const entry = byName.get(name);
  if (entry === undefined) throw new Error(`internal error: no system call ${name}`);
  return { ...entry, level, note, handler };
}

/** A row that always answers this negative errno, as a container without the privilege or the feature gets it. */
export function refused(name: string, errno: number, note: string): SyscallRow {
  return row(name, () => -errno, 'refused', note);
}
