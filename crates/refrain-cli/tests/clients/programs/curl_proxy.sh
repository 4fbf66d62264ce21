#!/bin/sh
# curl, through the proxy: another host, and a key of refrain's as the bearer.
set -eu
base=$1
key=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Sends a request; its status is in $status, its body in $folder/body.
ask() {
    status=$(curl --silent --show-error --dump-header "$folder/headers" --output "$folder/body" \
        --write-out '%{http_code}' --header "Authorization: Bearer $key" "$@")
}

# The first member of this name that is a text.
member() {
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$folder/body" | head -n 1
}

# Says what came of it, where it was a success.
told() {
    case $status in
    2*) printf '{"ok":%s}\n' "$1" ;;
    *)
        after=$(tr -d '\r' <"$folder/headers" | sed -n 's/^[Rr]etry-[Aa]fter: //p')
        printf '{"status":%s,"retry_after":"%s"}\n' "$status" "$after"
        ;;
    esac
}

every_playlist() {
    count=0
    next="$base/v1/me/playlists?limit=10"
    while [ -n "$next" ]; do
        ask "$next"
        case $status in 2*) ;; *) return ;; esac
        count=$((count + $(grep -o '"snapshot_id"' "$folder/body" | wc -l)))
        next=$(member next)
    done
}

while read -r command; do
    case $command in
    me)
        ask "$base/v1/me"
        told "\"$(member id)\""
        ;;
    play)
        ask --request PUT --json '{"uris":["spotify:track:11dFghVXANMlKmJXsNCbNl"]}' "$base/v1/me/player/play"
        told null
        ;;
    pause)
        ask --request PUT "$base/v1/me/player/pause"
        told null
        ;;
    playlists)
        every_playlist
        told "$count"
        ;;
    esac
done
