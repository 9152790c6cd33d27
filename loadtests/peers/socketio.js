// A plain broadcast server on Socket.IO: what a socket sends goes to every socket of its room. Nothing is stored, nobody
// is authenticated. WebSocket transport only, no compression, so that it is measured at its best. Usage: node socketio.js PORT
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer((request, response) => response.writeHead(404).end());
const server = new Server(http, { transports: ['websocket'], perMessageDeflate: false, httpCompression: false, serveClient: false });

server.on('connection', (socket) => {
  const room = socket.handshake.query.room;
  socket.join(room);
  socket.on('message', (text) => server.to(room).emit('message', text));
});

http.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
