#!/bin/sh
# Starts the server as the image's configuration says.
set -e

config=${ECHO_CONFIG:-/etc/echo.conf}
if [ ! -r "$config" ]; then
  echo "entrypoint: $config is missing" >&2
  exit 1
fi
echo "entrypoint: starting with $config"
exec /usr/local/bin/echod "$config"
