// Before anything is painted: the theme that the reader chose, if any, in place of the system's.
"use strict";
try {
  const theme = localStorage.getItem("covcore-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // storage may be forbidden
}
