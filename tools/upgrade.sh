#!/bin/bash
# Tries an upgrade: a release of an older commit is installed, runs and remembers something; then this commit is installed
# over it, as `make install` does. What has to last is looked at, and the way back. All of it happens in a view of this
# machine that nothing is written back from (an overlay in a mount namespace), so it needs root and leaves nothing behind.
#
# usage: tools/upgrade.sh OLD_COMMIT [NEW_COMMIT]     NEW_COMMIT: HEAD
set -euo pipefail
old_commit=${1:?usage: tools/upgrade.sh OLD_COMMIT [NEW_COMMIT]} new_commit=${2:-HEAD}
repository=$(cd "$(dirname "$0")/.." && pwd)
python=$repository/.venv/bin/python

# tree NAME COMMIT VERSION: the tree of a commit under another version, and its wheel.
tree() {
	compgen -G "$work/$1/dist/*.whl" >/dev/null && return
	mkdir -p "$work/$1"
	git -C "$repository" archive "$2" | tar -x -C "$work/$1"
	sed -i "s/^__version__ = .*/__version__ = \"$3\"/" "$work/$1/src/hullwatch/__init__.py"
	(cd "$work/$1" && "$python" -m pip --quiet wheel --no-deps --no-build-isolation --wheel-dir "$work/$1/dist" .)
}

if [ "${UPGRADE_INSIDE:-}" != yes ]; then
	if [ -n "${UPGRADE_WORK:-}" ]; then # keep what was built for another try
		work=$UPGRADE_WORK
		rm -rf "$work/upper" "$work/workdir"
	else
		work=$(mktemp -d /var/tmp/hullwatch-upgrade-XXXXXX)
		trap 'rm -rf "$work"' EXIT
	fi
	tree old "$old_commit" 0.0.1
	tree new "$new_commit" 0.0.2
	mkdir -p "$work/upper" "$work/workdir" "$work/root"
	UPGRADE_INSIDE=yes work=$work unshare --mount --propagation private bash "$0" "$@"
	exit
fi

mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/workdir" "$work/root"
for folder in proc sys dev; do mount --rbind "/$folder" "$work/root/$folder"; done
mount -t tmpfs tmpfs "$work/root/run"

inside() { chroot "$work/root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
# The environment has this tree's Hullwatch as an editable package, which would be found before the older one's.
install() { inside "$python" -c '
import runpy, sys
tree, sys.argv = sys.argv[1], ["tools.install", *sys.argv[2:]]
sys.meta_path = [one for one in sys.meta_path if "editable" not in type(one).__module__]
sys.path[:0] = [tree, tree + "/src"]
runpy.run_module("tools.install", run_name="__main__", alter_sys=True)' "$work/$1" "$work/$1/dist/"*.whl; }
hullwatch() { inside /usr/local/bin/hullwatch "$@"; }
fail() {
	echo "upgrade: $*" >&2
	exit 1
}
# watch MARK: run until the program with that argument was seen.
watch() {
	hullwatch run --duration 120s >"$work/alerts" 2>"$work/said" &
	local running=$!
	for _ in $(seq 300); do
		grep -q "Watching this host" "$work/said" && break
		sleep 0.1
	done
	inside /bin/sh -c "/bin/true $1"
	for _ in $(seq 200); do
		grep -q -- "$1" "$work/alerts" && break
		sleep 0.1
	done
	grep -q -- "$1" "$work/alerts" || fail "the program was not seen: $(cat "$work/said")"
	kill -INT $(cat "/proc/$running/task/$running/children") && wait "$running" || fail "the run ended with $?: $(cat "$work/said")"
}
issue() { hullwatch issues --all -o json | "$python" -c '
import json, sys
for one in map(json.loads, sys.stdin):
    if one["rule"] == "Upgrade is tried":
        print(one["id"], one["count"], int(one["muted_until"] > 0), one["assignee"])'; }

echo "upgrade: $old_commit is installed"
install old
cat >"$work/root/etc/hullwatch/rules.yaml" <<'RULES'
- rule: Upgrade is tried
  desc: a program of this script
  condition: evt.type = execve and proc.args startswith upgrade-mark
  output: "%proc.cmdline"
  priority: WARNING
RULES
sed -i 's|^\[rules\]|&\nfiles = ["/etc/hullwatch/rules.yaml"]|' "$work/root/etc/hullwatch/config.toml"
watch upgrade-mark-1
read -r id count muted _ <<<"$(issue)"
[ "$count $muted" = "1 0" ] || fail "the old release kept $count alerts"
hullwatch issues mute "$id" --for 24h --why "it is a trial"
incident=$(hullwatch incidents --all -o json | head -c 30)

echo "upgrade: $new_commit is installed over it"
install new
grep -q 'rules.yaml' "$work/root/etc/hullwatch/config.toml" || fail "the changed configuration was lost"
hullwatch version
watch upgrade-mark-2
read -r again count muted _ <<<"$(issue)"
[ "$again $count $muted" = "$id 2 1" ] || fail "of issue $id (1 alert, muted) there is $again with $count, muted $muted"
[ "$(hullwatch incidents --all -o json | head -c 30)" = "$incident" ] || fail "the incidents are others"
hullwatch alerts -o json | grep -c upgrade-mark
echo "upgrade: the way back"
before=$(cd "$work/root/opt/hullwatch/releases" && ls -d 0.0.1-*)
ln -sfn "releases/$before" "$work/root/opt/hullwatch/current"
watch upgrade-mark-3
read -r again count muted _ <<<"$(issue)"
[ "$again $count $muted" = "$id 3 1" ] || fail "on the way back: issue $again with $count alerts, muted $muted"
echo "upgrade: alerts, issues, incidents, what was muted and the configuration are as they were"
