#!/bin/sh
# Makes the certificates and keys of this folder anew, in the forms that people have: with openssl 3,
# valid for 100 years, and known to everybody. Tests read the files; nothing runs this.
set -e
cd "$(dirname "$0")"
days="-days 36500"
subject() { printf '/CN=%s' "$1"; }
# A key and a request.
request() { openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$(subject "$1")"; }
# Signs a request, with these extensions; without any it is X.509 version 1.
sign() {
  printf '%s\n' "$2" > extensions
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt" $days \
    ${2:+-extfile extensions}
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt $days -subj /CN=ca
request server && sign server 'subjectAltName=IP:127.0.0.1,IP:::1,DNS:api.example'
request server-v1 && sign server-v1 ''
request server-ca && sign server-ca 'subjectAltName=IP:127.0.0.1
basicConstraints=CA:TRUE'
request server-cn && sign server-cn 'basicConstraints=CA:FALSE'
# As `openssl req -x509` makes them: a CA.
openssl req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.crt $days -subj /CN=self \
  -addext subjectAltName=IP:127.0.0.1
# A CA of version 1, and a server by it.
openssl req -newkey rsa:2048 -nodes -keyout ca-v1.key -out ca-v1.csr -subj /CN=ca-v1
openssl x509 -req -in ca-v1.csr -signkey ca-v1.key -out ca-v1.crt $days
request by-v1
printf 'subjectAltName=IP:127.0.0.1\n' > extensions
openssl x509 -req -in by-v1.csr -CA ca-v1.crt -CAkey ca-v1.key -CAcreateserial -out by-v1.crt $days \
  -extfile extensions
request client && sign client ''
openssl rsa -in client.key -traditional -out client.pkcs1.key
openssl rsa -in client.key -aes256 -passout pass:x -out client.encrypted.key
openssl rsa -in client.key -traditional -aes256 -passout pass:x -out client.encrypted-pkcs1.key
openssl ecparam -name prime256v1 -genkey -out client-ec.key
openssl req -new -key client-ec.key -out client-ec.csr -subj /CN=client-ec
sign client-ec 'extendedKeyUsage=clientAuth'
rm -f ./*.csr ./*.srl extensions ca.key ca-v1.key
