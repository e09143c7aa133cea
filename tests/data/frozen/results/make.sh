#!/bin/sh
# How results.tar.xz was made, once, by commit 87b48fe: sh make.sh CHECKOUT-OF-THAT-COMMIT, in a copy
# of this folder. What it holds are results as a user of that commit has them; they are not made again.
set -eu
export PYTHONPATH="$1" PYTHONWARNINGS=ignore OMP_NUM_THREADS=1
harness() { python -m harness "$@"; }

rm -rf results said taken.pt
harness run kept.yaml --no-report
one=$(ls results/artifacts/train | head -n 1)
harness export "$one" taken.pt
harness import taken.pt --name taken --heads 2 --steps 4 --autoencoder identity
harness run kept.yaml --profile imported --no-report
for profile in laptop imported; do
  for table in runs metrics training; do
    harness results kept.yaml --profile "$profile" --csv --table "$table" >"$profile-$table.csv"
  done
done
rm -rf results/staging results/drivers results/claims taken.pt
mkdir said && mv ./*.csv said
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cJf results.tar.xz results said
