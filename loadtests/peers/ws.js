// A plain broadcast server on npm `ws`, the way its documentation shows it: what a socket sends goes to every socket of
// its room. Nothing is stored, nobody is authenticated. Usage: node ws.js PORT
import { WebSocketServer } from 'ws';

const rooms = new Map();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });

server.on('connection', (socket, request) => {
  const name = new URL(request.url, 'http://localhost').searchParams.get('room');
  let room = rooms.get(name);
  if (!room) rooms.set(name, (room = new Set()));
  room.add(socket);
  socket.on('message', (data) => {
    for (const member of room) {
      if (member.readyState === 1) member.send(data, { binary: false });
    }
  });
  socket.on('close', () => room.delete(socket));
  socket.on('error', () => {});
});
