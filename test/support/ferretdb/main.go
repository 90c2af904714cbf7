// A server that speaks MongoDB's protocol, FerretDB, for tests where there is no MongoDB: on SQLite, which needs nothing else, or on
// a PostgreSQL, which is fast enough to measure with.
// Usage: ferretdb <address to listen on> <folder for its files, or postgres://...>
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: ferretdb <address> <folder or postgres://...>")
	}
	config := &ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[2] + "/?_pragma=synchronous(off)",
	}
	if strings.HasPrefix(os.Args[2], "postgres://") {
		config.Handler, config.PostgreSQLURL, config.SQLiteURL = "postgresql", os.Args[2], ""
	}
	server, err := ferretdb.New(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
