/*
 * Sets the chosen theme before the first paint. A classic script, because modules run after it and the page would flash;
 * a file, because the content security policy allows no inline script but the import map.
 */
(function () {
  try {
    var theme = localStorage.getItem('rialto.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch (error) {
    // Storage may be blocked; the system's theme is used.
  }
})();
