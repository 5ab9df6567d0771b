#!/bin/sh
# A shell script as entrypoints are: traps, here documents, pipes, substitutions, background jobs, tools of coreutils.
set -e
trap 'echo stopping; rm -f /run/job.pid; exit 5' TERM INT
umask 022
mkdir -p /run/job /srv/www/static
cat > /srv/www/index.html <<HTML
<p>$(hostname) $(id -u) ${NAME:-nobody}</p>
HTML
work=$(mktemp -d)
cp /etc/passwd "$work/passwd"
sed -i 's/root/owner/' "$work/passwd"
sort -r "$work/passwd" | head -n 1 > /run/job/first
ln -s www /srv/link
chmod 600 /srv/link/index.html
chown 7:7 /srv/www/static
touch /run/job/stamp
mv /run/job/stamp /run/job/done
[ -e /etc/none ] || echo none >&2
(cd /srv && ls -l . > /run/job/listing)
rm -r "$work"
find /srv -type f | while read -r name; do wc -c < "$name"; done
sleep 1000 &
echo $! > /run/job.pid
wait
