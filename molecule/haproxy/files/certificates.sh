#!/bin/sh
# Makes what the certificates role makes, for this host and for two other callers.
set -eu
directory=/etc/tandem/tls
mkdir -p "$directory/haproxy" "$directory/callers"
cd "$directory"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout callers/ca.key -out ca.pem -days 30 -subj "/CN=molecule"
for name in "$@"; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "callers/$name.key" -out "callers/$name.csr" -subj "/CN=$name"
  printf 'subjectAltName=DNS:%s.tandem.test\nextendedKeyUsage=serverAuth,clientAuth\n' "$name" > callers/extensions
  openssl x509 -req -in "callers/$name.csr" -CA ca.pem -CAkey callers/ca.key -CAcreateserial -days 30 -extfile callers/extensions -out "callers/$name.pem"
done
cat "callers/$1.pem" "callers/$1.key" > haproxy/bundle.pem
