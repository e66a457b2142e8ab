#!/usr/bin/env bash
# `make dist`: what people install without compiling, in dist/: a Python wheel (the program, the page, the model), the npm package, and
# the page with the model as a static site. `make dist` builds program and page first.
#   dist.sh [MODEL]      the model's directory (default: the one that ships, models/lidc-a)
set -euo pipefail
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"
export PATH="$target/tools/node/node_modules/.bin:$PATH:$HOME/.cargo/bin"
model="${1:-models/lidc-a}"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
if [ ! -f "$model/config.json" ]; then
    [ $# = 0 ] || { echo "dist: $model holds no model (config.json)" >&2; exit 1; }
    echo "dist: no model ships with this checkout (models/lidc-a): wheel and site come without one; dist.sh MODEL takes another"
    model=
fi
rm -rf dist
mkdir dist

# under the same prefix as the program, where it looks for them
shared=dist/wheel/data/share/clip-lung
mkdir -p "$shared"
cp -r web/demo/dist "$shared/page"
[ -z "$model" ] || cp -r "$model" "$shared/model"
"$target/tools/python/bin/maturin" build --quiet --release --locked --out dist
rm -r dist/wheel

npm pack --silent --pack-destination "$PWD/dist" ./web > /dev/null

# of the page alone: the package for other pages is on its own above
site="clip-lung-page-$version"
cp -r web/demo/dist "dist/$site"
rm -r "dist/$site/package"
cp web/demo/site.md "dist/$site/README.md"
cp LICENSE-MIT LICENSE-APACHE "dist/$site"
[ -z "$model" ] || cp -r "$model" "dist/$site/model"
# whatever serves it: the policy that `clip-lung serve` sends, less what a page can't say itself
policy=$(sed "s/; frame-ancestors [^;]*$//" web/demo/policy.txt)
sed -i "s|<head>|&\n  <meta http-equiv=\"Content-Security-Policy\" content=\"$policy\">|" "dist/$site/index.html"
tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -czf "dist/$site.tar.gz" "$site"

du --apparent-size --block-size=kB -s dist/*
