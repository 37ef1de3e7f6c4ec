module github.com/registryctl/registryctl/.ci/basicauth

go 1.26.0

require (
	github.com/abbot/go-http-auth v0.4.0
	github.com/registryctl/registryctl v0.0.0
	github.com/tg123/go-htpasswd v1.2.5
)

require (
	github.com/GehirnInc/crypt v0.0.0-20230320061759-8cc1b52080c5 // indirect
	github.com/jellydator/ttlcache/v3 v3.4.1 // indirect
	golang.org/x/crypto v0.59.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sync v0.25.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace github.com/registryctl/registryctl => ../..
