# Tells a nats-server that its certificate has been renewed: it reads files at its start and on a signal alone.
# Arguments: the file with the server's pid, the file to look at, and every how many seconds. A mounted Secret changes within about a minute.
# It runs in the server's own image, so that a new version of freeway does not restart the broker.
known=$(sha256sum "$2")
echo "$2 is watched"
while sleep "$3"; do
  # Between the old and the new one there may be none.
  now=$(sha256sum "$2") || continue
  if [ "$now" != "$known" ] && nats-server --signal "reload=$1"; then
    known=$now
    echo "$2 has changed: the broker reads it again"
  fi
done
