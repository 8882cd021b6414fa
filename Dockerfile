# netlab in a container, as a user that is not root.
#
# Labs are made of namespaces, so the container must be allowed to make some. Two ways (docs/ci.md has the whole command lines):
#  - as the image's own user, by a user namespace. No capability is added. Docker's seccomp profile refuses unshare(CLONE_NEWUSER), and
#    its AppArmor profile refuses to mount, so both are turned off:
#        docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined netlab-ns run ...
#  - as root, which sees more. Three capabilities, and the same AppArmor option:
#        --user 0 --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add NET_RAW
#    SYS_ADMIN makes namespaces and mounts in them (unshare(2), setns(2), mount(2)), and loads BPF programs (tier A); NET_ADMIN creates
#    interfaces, addresses, routes, queueing disciplines and nftables rules in them (rtnetlink(7)): a namespace that root makes belongs
#    to the container's user namespace, and gives no capability that root does not have. NET_RAW is for captures (packet(7)): Docker
#    gives it unasked, Podman does not. Kernel memory, and the calls of programs by BPF, take --pid=host besides.
FROM python:3.12-slim AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY topologies topologies
COPY netlab netlab
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
# What changes least comes first: the system's packages, then the dependencies, then netlab.
# nft is for firewalls and nat, ip for looking into a lab by hand, strace for netlab-ns watch without BPF. Versions are those of the image's Debian release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends iproute2 nftables strace \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 netlab
COPY pyproject.toml /tmp/pyproject.toml
RUN python -c "import tomllib; print(*tomllib.load(open('/tmp/pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        >/tmp/requirements.txt \
    && pip install --no-cache-dir -r /tmp/requirements.txt \
    && rm /tmp/pyproject.toml /tmp/requirements.txt
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl
USER netlab
WORKDIR /work
# Without a command it says what it can do where it was started, and what to add.
ENTRYPOINT ["netlab-ns"]
CMD ["doctor", "--ci"]
