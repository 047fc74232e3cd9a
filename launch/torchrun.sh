#!/usr/bin/env bash
# One training on several machines, in a project folder that all of them see. On each of them:
#   HOST=<name of machine 0> NODES=2 NODE=<0, 1> launch/torchrun.sh market1501 s_times_c 1
# then `dvc repro train@market1501-s_times_c-1` on one, which takes over what is finished.
# PROCESSES (default: one per GPU) times NODES must divide train.ids_per_batch.
# SIGTERM saves the state and ends with exit code 75: the same command goes on from there.
set -euo pipefail

export CAPNET_ONLY_WORK=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
torchrun --nnodes "$NODES" --node-rank "${NODE:-$SLURM_NODEID}" --max-restarts 0 \
  --nproc-per-node "${PROCESSES:-gpu}" --master-addr "$HOST" --master-port "${PORT:-29400}" \
  -m pipeline.train "$@" &
launcher=$! code=0 stopped= interrupted=yes
trap 'stopped=yes interrupted=yes; kill -TERM "$launcher" || true' TERM
while [ "$interrupted" ]; do  # a signal interrupts `wait`
  code=0 interrupted=
  wait "$launcher" || code=$?
done
if [ "$stopped" ] && [ "$code" -ne 0 ]; then
  code=75
fi
exit "$code"
